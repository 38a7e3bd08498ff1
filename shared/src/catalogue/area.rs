//! Decides what part of the product a code speaks of. This is the one place that reads it from the digits.

/// By who mends it, as the list of codes is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The agent on its own machine.
    Agent,
    /// A newer version of the agent.
    Update,
    Directory,
    /// The way from the agent to the cloud.
    Line,
    /// What agent and cloud refuse of each other.
    Exchange,
    /// An import and its runs.
    Import,
    Matching,
    Vendor,
    Mail,
    /// A request of the portal or the API.
    Request,
    /// The cloud's own operation; also whatever is no code.
    Operation,
}

impl Area {
    /// Also of a code that only a newer agent knows.
    pub fn of(code: &str) -> Self {
        match code.strip_prefix("RC-").unwrap_or_default().as_bytes() {
            [b'1', b'0', b'4' | b'5', _] => Self::Update,
            [b'1', ..] => Self::Agent,
            [b'2', ..] => Self::Directory,
            [b'3', b'0', ..] => Self::Line,
            [b'3', ..] => Self::Exchange,
            [b'4', ..] => Self::Import,
            [b'5', ..] => Self::Matching,
            [b'6', b'0', ..] => Self::Vendor,
            [b'6', ..] => Self::Mail,
            [b'7', ..] => Self::Request,
            _ => Self::Operation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn a_code_of_a_newer_agent_has_an_area_and_what_is_no_code_is_operation() {
        assert_eq!(Area::of("RC-2999"), Area::Directory);
        assert_eq!(Area::of("RC-1059"), Area::Update);
        assert_eq!(Area::of("nonsense"), Area::Operation);
    }

    #[test]
    fn the_faults_of_each_area_are_those_of_its_name() {
        let areas = [
            (catalogue::NOT_WRITABLE, Area::Agent),
            (catalogue::BUNDLE_FAILED, Area::Agent),
            (catalogue::UPDATE_UNAVAILABLE, Area::Update),
            (catalogue::VERSION_DAMAGED, Area::Update),
            (catalogue::NO_DC_FOUND, Area::Directory),
            (catalogue::OU_UNREADABLE, Area::Directory),
            (catalogue::CLOUD_NAME, Area::Line),
            (catalogue::CLOUD_ODD_ANSWER, Area::Line),
            (catalogue::TOKEN_REFUSED, Area::Exchange),
            (catalogue::BATCH_POISONED, Area::Exchange),
            (catalogue::SCOPE_EMPTY, Area::Import),
            (catalogue::OVERDUE, Area::Import),
            (catalogue::MATCH_AMBIGUOUS, Area::Matching),
            (catalogue::VENDOR_CREDENTIALS, Area::Vendor),
            (catalogue::MAIL_RELAY, Area::Mail),
            (catalogue::INVALID, Area::Request),
            (catalogue::VARIABLE_UNKNOWN, Area::Operation),
            (catalogue::UNEXPECTED, Area::Operation),
        ];
        for (fault, area) in areas {
            assert_eq!(fault.area(), area, "{fault}");
        }
    }
}
