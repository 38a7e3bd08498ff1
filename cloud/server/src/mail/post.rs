//! Hands one letter to the relay, and says what is known of it afterwards.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
};
use rollcall_protocol::catalogue;
use rollcall_store::mails::Mail;

use crate::{config::Relay, setback::Setback, start::StartError};

/// Longest wait for a relay that has to say that it is there, from the first packet to its last word. Once a letter has
/// begun to leave it is waited for longer: to hang up then is not to know.
const GREETING: Duration = Duration::from_secs(10);

/// Who brings the mail away. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Postman(Option<Arc<Route>>);

#[derive(Debug)]
struct Route {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What became of one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    Sent,
    /// The relay does not have it, and may take it later.
    NotNow(Setback),
    /// The relay does not have it and never will.
    Refused(Setback),
    /// The connection broke after the letter had begun to leave.
    Unknown(Setback),
}

impl Postman {
    /// The relay as it is configured; without one nothing is ever sent.
    pub fn of(relay: Option<&Relay>) -> Result<Self, StartError> {
        let Some(relay) = relay else { return Ok(Self(None)) };
        let unusable = |why: String| StartError::new(&catalogue::VARIABLE_INVALID, why);
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(relay.url())
            .map_err(|_| unusable("ROLLCALL_SMTP_URL: use smtps://user:password@host:465 or smtp://host:25".into()))?
            .build();
        let from = relay.from.parse().map_err(|_| unusable("ROLLCALL_MAIL_FROM: is no mail address".into()))?;
        Ok(Self(Some(Arc::new(Route { transport, from }))))
    }

    pub const fn has_relay(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the relay answers at all: as long as it does not, nothing has begun to leave.
    pub async fn greet(&self) -> Result<(), Setback> {
        let Some(route) = &self.0 else { return Err(relay("ROLLCALL_SMTP_URL is not set")) };
        match tokio::time::timeout(GREETING, route.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(relay("the relay does not answer")),
            Ok(Err(error)) => Err(relay(why(&error))),
            Err(_) => Err(relay("the relay said nothing in time")),
        }
    }

    pub async fn send(&self, mail: &Mail) -> Posted {
        let Some(route) = &self.0 else { return Posted::NotNow(relay("ROLLCALL_SMTP_URL is not set")) };
        let message = match route.write(mail) {
            Ok(message) => message,
            Err(why) => return Posted::Refused(why),
        };
        match route.transport.send(message).await {
            Ok(_) => Posted::Sent,
            Err(error) if error.is_permanent() => Posted::Refused(relay(why(&error))),
            Err(error) if error.is_transient() => Posted::NotNow(relay(why(&error))),
            Err(error) => Posted::Unknown(Setback::new(&catalogue::MAIL_UNKNOWN, why(&error))),
        }
    }
}

impl Route {
    fn write(&self, mail: &Mail) -> Result<Message, Setback> {
        let invalid = || Setback::from(&catalogue::MAIL_ADDRESS);
        let to: Mailbox = mail.recipient.parse().map_err(|_| invalid())?;
        // The same for every try, so that a relay or a reader can tell a repetition.
        let name = format!("<{}@{}>", mail.id, self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .message_id(Some(name))
            .multipart(MultiPart::alternative_plain_html(mail.body_text.clone(), mail.body_html.clone()))
            .map_err(|_| invalid())
    }
}

fn relay(why: impl Into<String>) -> Setback {
    Setback::new(&catalogue::MAIL_RELAY, why)
}

/// The relay's number alone: its words may repeat addresses.
fn why(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(status) => format!("the relay answered {status}"),
        None if error.is_timeout() => "the relay said nothing in time".to_owned(),
        None if error.is_tls() => "TLS to the relay failed".to_owned(),
        None => "the line to the relay broke".to_owned(),
    }
}
