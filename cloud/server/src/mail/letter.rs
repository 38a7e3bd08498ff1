//! What a letter says, as text and as HTML with the same words.

use askama::Template;
use rollcall_store::StoreError;

/// A letter without its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A rollout of an agent's version stopped by itself.
#[derive(Debug, Clone)]
pub struct RolloutStopped<'a> {
    pub version: &'a str,
    /// How far it had come, in words.
    pub ring: &'a str,
    pub reason: &'a str,
    /// The page where it is decided what comes of it.
    pub page: &'a str,
}

#[derive(Template)]
#[template(path = "mail/rollout_stopped.txt", escape = "none")]
struct Text<'a>(&'a RolloutStopped<'a>);

#[derive(Template)]
#[template(path = "mail/rollout_stopped.html")]
struct Html<'a>(&'a RolloutStopped<'a>);

impl RolloutStopped<'_> {
    pub fn write(&self) -> Result<Letter, StoreError> {
        let drawn = |error: askama::Error| StoreError::Unreadable(format!("a letter could not be drawn: {error}"));
        Ok(Letter {
            subject: format!("Rollcall stopped the rollout of agent {}", self.version),
            text: Text(self).render().map_err(drawn)?,
            html: Html(self).render().map_err(drawn)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_what_stopped_why_and_where_to_decide() {
        let stopped = RolloutStopped {
            version: "1.4.0",
            ring: "one agent in ten",
            reason: "3 of 20 agents went back or fell silent <again>",
            page: "https://rollcall.example/updates",
        };

        let letter = stopped.write().unwrap();

        for word in ["1.4.0", "one agent in ten", "3 of 20 agents", "https://rollcall.example/updates"] {
            assert!(letter.text.contains(word), "{word}: {}", letter.text);
            assert!(letter.html.contains(word), "{word}: {}", letter.html);
        }
        assert!(letter.text.contains("<again>") && !letter.html.contains("<again>"));
        assert!(!letter.subject.contains('\n'));
    }
}
