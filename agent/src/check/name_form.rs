//! Decides in which form a sign-in name is written, since a directory's refusal does not say that the form was at fault.

use rollcall_protocol::catalogue;

use super::finding::Finding;
use crate::diagnostic::Diagnostic;
use crate::directory::dn::Dn;
use crate::exit::Exit;

/// How a name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `user@domain`.
    Principal,
    /// `CN=user,OU=…`.
    Distinguished,
    /// `DOMAIN\user`: Active Directory understands it, others do not.
    DownLevel,
    /// `user` alone: nobody knows of which domain.
    Bare,
    /// Two at signs, blanks around it, an LDAP address.
    Odd,
}

impl Form {
    pub fn of(name: &str) -> Self {
        if name.trim() != name || name.is_empty() || name.contains("://") {
            return Self::Odd;
        }
        if name.contains('=') {
            return if Dn::parse(name).is_some() { Self::Distinguished } else { Self::Odd };
        }
        match (name.split_once('\\'), name.split_once('@')) {
            (Some((domain, user)), None) if !domain.is_empty() && !user.is_empty() => Self::DownLevel,
            (None, Some((user, domain))) if !user.is_empty() && is_domain(domain) => Self::Principal,
            (None, None) => Self::Bare,
            (Some(_), _) | (_, Some(_)) => Self::Odd,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Principal => "user@domain",
            Self::Distinguished => "a distinguished name",
            Self::DownLevel => "DOMAIN\\user",
            Self::Bare => "a name without its domain",
            Self::Odd => "none that a directory knows",
        }
    }

    fn is_understood_everywhere(self) -> bool {
        match self {
            Self::Principal | Self::Distinguished => true,
            Self::DownLevel | Self::Bare | Self::Odd => false,
        }
    }
}

/// A domain may be a single label where it is an alternative suffix.
fn is_domain(text: &str) -> bool {
    !text.is_empty() && !text.contains(['@', '\\', ' ', '/'])
}

/// Names the form alone, never the name.
pub fn judge(name: &str) -> Finding {
    let form = Form::of(name);
    if form.is_understood_everywhere() {
        return Finding::Ok(format!("written as {}", form.words()));
    }
    Finding::Warn(fault(form))
}

/// What a refused sign-in means when its name is written oddly: mend that first.
pub fn explain_refusal(name: &str, refused: Diagnostic) -> Diagnostic {
    let form = Form::of(name);
    let is_about_the_name = refused.fault.code == catalogue::BIND_REFUSED.code;
    if is_about_the_name && !form.is_understood_everywhere() {
        return Diagnostic { exit: refused.exit, ..fault(form) };
    }
    refused
}

fn fault(form: Form) -> Diagnostic {
    Diagnostic::new(catalogue::BIND_NAME_FORM, format!("it is written as {}", form.words()), Exit::Attention)
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: Truetask-27
    #[test]
    fn the_forms_of_a_sign_in_name_are_told_apart() {
        let cases = [
            ("svc-rollcall@lab.example", Form::Principal),
            ("svc@lab", Form::Principal),
            ("CN=svc,OU=Service,DC=lab,DC=example", Form::Distinguished),
            ("LAB\\svc-rollcall", Form::DownLevel),
            ("svc-rollcall", Form::Bare),
            (" svc@lab.example", Form::Odd),
            ("svc@lab@example", Form::Odd),
            ("LAB\\svc@lab.example", Form::Odd),
            ("\\svc", Form::Odd),
            ("@lab.example", Form::Odd),
            ("ldap://dc1/svc", Form::Odd),
            ("a=b=\\", Form::Odd),
            ("", Form::Odd),
        ];

        for (name, form) in cases {
            assert_eq!(Form::of(name), form, "{name:?}");
        }
    }

    // proves: Truetask-27
    #[test]
    fn a_refused_name_in_an_odd_form_is_told_as_such_and_a_locked_account_is_not() {
        let refused = || Diagnostic::new(catalogue::BIND_REFUSED, "52e", Exit::DirectoryUnreachable);
        let locked = Diagnostic::new(catalogue::BIND_LOCKED, "775", Exit::DirectoryUnreachable);

        let told = explain_refusal("LAB\\svc", refused());
        assert_eq!((told.fault.code, told.exit), ("RC-2221", Exit::DirectoryUnreachable));
        assert!(!told.detail.contains("svc"), "{}", told.detail);
        assert_eq!(explain_refusal("svc@lab.example", refused()).fault.code, "RC-2201");
        assert_eq!(explain_refusal("LAB\\svc", locked).fault.code, "RC-2202");
    }
}
