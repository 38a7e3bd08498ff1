//! Decides from its groups whether the account that reads can do more than read, and names the group.

use rollcall_protocol::catalogue;

use super::finding::Finding;
use crate::diagnostic::Diagnostic;
use crate::directory::sid::Sid;
use crate::exit::Exit;

/// Groups that may change the directory or become its administrators, by their RID: names are translated and renamed.
const IN_DOMAIN: &[(u32, &str)] = &[
    (512, "Domain Admins"),
    (516, "Domain Controllers"),
    (517, "Cert Publishers"),
    (518, "Schema Admins"),
    (519, "Enterprise Admins"),
    (520, "Group Policy Creator Owners"),
    (526, "Key Admins"),
    (527, "Enterprise Key Admins"),
];
const BUILTIN: &[(u32, &str)] = &[
    (544, "Administrators"),
    (548, "Account Operators"),
    (549, "Server Operators"),
    (550, "Print Operators"),
    (551, "Backup Operators"),
];

/// The powerful groups among those of a token, by their well-known English names.
pub fn powerful(token: &[Sid]) -> Vec<&'static str> {
    let name = |sid: &Sid| {
        let known = if sid.is_builtin() { BUILTIN } else { IN_DOMAIN };
        let group = known.iter().find(|(rid, _)| sid.rid() == Some(*rid));
        group.filter(|_| sid.is_builtin() || is_of_a_domain(sid)).map(|(_, name)| *name)
    };
    let mut names: Vec<&'static str> = token.iter().filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// `S-1-5-21-` and three numbers of the domain before its own.
fn is_of_a_domain(sid: &Sid) -> bool {
    let text = sid.to_string();
    text.starts_with("S-1-5-21-") && text.split('-').count() == 8
}

pub fn judge(token: &[Sid]) -> Finding {
    let powerful = powerful(token);
    if powerful.is_empty() {
        return Finding::Ok(format!("read-only confirmed: none of its {} groups may write", token.len()));
    }
    let detail = format!("it is a member of {}", powerful.join(", "));
    Finding::Warn(Diagnostic::new(catalogue::TOO_POWERFUL, detail, Exit::Attention))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(parts: &[u32]) -> Sid {
        let mut bytes = vec![1, u8::try_from(parts.len()).unwrap(), 0, 0, 0, 0, 0, 5];
        bytes.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
        Sid::from_bytes(&bytes).unwrap()
    }

    // proves: N-8
    #[test]
    fn an_ordinary_account_is_confirmed_as_a_reader() {
        let token = [sid(&[21, 1, 2, 3, 513]), sid(&[21, 1, 2, 3, 1104]), sid(&[32, 545]), sid(&[11])];

        assert!(matches!(judge(&token), Finding::Ok(_)));
    }

    // proves: N-8, Truetask-11
    #[test]
    fn every_powerful_group_is_named_in_any_language() {
        let token = [sid(&[21, 1, 2, 3, 512]), sid(&[32, 544]), sid(&[32, 551]), sid(&[21, 1, 2, 3, 544])];

        assert_eq!(powerful(&token), ["Administrators", "Backup Operators", "Domain Admins"]);
        assert!(matches!(judge(&token), Finding::Warn(told) if told.detail.contains("Domain Admins")));
    }

    // proves: N-8
    #[test]
    fn a_custom_group_whose_number_ends_alike_is_not_powerful() {
        assert!(powerful(&[sid(&[21, 1, 2, 3, 1512]), sid(&[21, 512])]).is_empty());
    }
}
