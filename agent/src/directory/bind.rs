//! Decides how the agent signs in to a directory, and what a refusal means.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ber::{self, ResultCode, element};
use super::connect::ConnectError;
use super::gate::{ConnectionEnd, MessageReader};
use super::method::Credentials;

/// Why the directory did not let us in. Where it judged the account, nothing may be tried again before the next cycle or
/// a change of the configuration: repeated wrong passwords lock it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindRefused {
    /// A bind with an empty password "succeeds" as anonymous (RFC 4513 5.1.2), so it is never sent.
    #[error("the password is empty")]
    EmptyPassword,
    #[error("the directory refuses the name or the password")]
    NameOrPassword,
    #[error("the account is locked")]
    Locked,
    #[error("the account is disabled or expired")]
    DisabledOrExpired,
    #[error("the password has expired or must be changed")]
    PasswordExpired,
    #[error("the account may not sign in at this hour or from this machine")]
    NotHereOrNow,
    #[error("the directory demands signing")]
    SigningDemanded,
    #[error("the directory demands channel binding")]
    ChannelBindingDemanded,
    /// Busy, starting, shutting down: no name or password was looked at.
    #[error("the domain controller cannot take a sign-in now (result {0})")]
    NotNow(u32),
    #[error("the directory answers the sign-in with result {0}")]
    Other(u32),
}

/// Sends one simple bind over a connection that is already secured. The reply is bounded like every
/// other message.
pub(super) async fn simple<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    credentials: &Credentials,
    deadline: Duration,
) -> Result<(), ConnectError> {
    let request = request(credentials)?;
    let broken = |error: std::io::Error| ConnectionEnd::Broken(error.kind().to_string());
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    // A server says nothing after a bind until it is asked, so this reader cannot take bytes that belong to a search.
    let mut reader = MessageReader::new(stream, ber::HANDSHAKE, deadline);
    let reply = reader.next_message().await?.ok_or(ConnectionEnd::Closed)?;
    let result = ber::result_of(&reply).map_err(ConnectionEnd::Malformed)?;
    Ok(verdict(&result)?)
}

/// `BindRequest{3, name, simple password}` with message id 1 (RFC 4511 4.2).
fn request(credentials: &Credentials) -> Result<zeroize::Zeroizing<Vec<u8>>, BindRefused> {
    let password = credentials.password.expose_secret();
    if password.trim().is_empty() || credentials.user.trim().is_empty() {
        return Err(BindRefused::EmptyPassword);
    }
    let version = element(0x02, &[3]);
    let name = element(0x04, credentials.user.as_bytes());
    let before_password = ber::head(0x80, password.len());
    let bind = ber::head(0x60, version.len() + name.len() + before_password.len() + password.len());
    let id = element(0x02, &[1]);
    let inside = id.len() + bind.len() + version.len() + name.len() + before_password.len() + password.len();
    let message = ber::head(0x30, inside);
    // Of its full size from the start: a vector that grows leaves copies of the password behind.
    let mut request = zeroize::Zeroizing::new(Vec::with_capacity(message.len() + inside));
    for part in [&message, &id, &bind, &version, &name, &before_password] {
        request.extend_from_slice(part);
    }
    request.extend_from_slice(password.as_bytes());
    Ok(request)
}

/// Reads Active Directory's sub-code out of result 49 (`… AcceptSecurityContext error, data 52e, …`).
pub(super) fn verdict(result: &ResultCode) -> Result<(), BindRefused> {
    match result.code {
        0 => Ok(()),
        8 | 13 => Err(BindRefused::SigningDemanded),
        49 => Err(match sub_code(&result.text) {
            Some("775") => BindRefused::Locked,
            Some("533" | "701") => BindRefused::DisabledOrExpired,
            Some("532" | "773") => BindRefused::PasswordExpired,
            Some("530" | "531") => BindRefused::NotHereOrNow,
            // SEC_E_BAD_BINDINGS: the token of the TLS channel is missing or wrong.
            Some("80090346") => BindRefused::ChannelBindingDemanded,
            Some(_) | None => BindRefused::NameOrPassword,
        }),
        // operationsError, timeLimitExceeded, busy, unavailable, unwillingToPerform (RFC 4511 A.1).
        other @ (1 | 3 | 51..=53) => Err(BindRefused::NotNow(other)),
        other => Err(BindRefused::Other(other)),
    }
}

fn sub_code(text: &str) -> Option<&str> {
    if text.starts_with("80090346") {
        return Some("80090346");
    }
    let (_, after) = text.split_once("data ")?;
    after.split(|c: char| !c.is_ascii_alphanumeric()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u32, text: &str) -> BindRefused {
        verdict(&ResultCode { code, text: text.into() }).unwrap_err()
    }

    #[test]
    fn sub_codes_of_result_49_say_what_is_wrong_with_the_account() {
        let text = |data: &str| {
            format!("80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data {data}, v4563")
        };

        assert_eq!(refusal(49, &text("52e")), BindRefused::NameOrPassword);
        assert_eq!(refusal(49, &text("775")), BindRefused::Locked);
        assert_eq!(refusal(49, &text("533")), BindRefused::DisabledOrExpired);
        assert_eq!(refusal(49, &text("773")), BindRefused::PasswordExpired);
        assert_eq!(refusal(49, ""), BindRefused::NameOrPassword);
    }

    #[test]
    fn a_bind_request_has_the_form_of_the_standard_whatever_its_length() {
        for length in [1, 100, 127, 128, 300, 70_000] {
            let password = "p".repeat(length);
            let credentials = Credentials { user: "reader@lab.example".into(), password: password.clone().into() };
            let bind = [element(0x02, &[3]), element(0x04, b"reader@lab.example"), element(0x80, password.as_bytes())];
            let expected = element(0x30, &[element(0x02, &[1]), element(0x60, &bind.concat())].concat());

            let request = request(&credentials).unwrap();

            assert_eq!(request.as_slice(), expected);
            assert_eq!(request.capacity(), expected.len(), "it never grew");
        }
    }

    #[test]
    fn a_demand_for_signing_is_not_a_wrong_password() {
        let text = "00002028: LdapErr: DSID-0C090259, comment: The server requires binds to turn on integrity checking";

        assert_eq!(refusal(8, text), BindRefused::SigningDemanded);
    }

    #[test]
    fn a_controller_that_is_busy_has_judged_nobody() {
        for code in [1, 51, 52, 53] {
            assert_eq!(refusal(code, "00002024: LdapErr: DSID-0C0609F7, data 0"), BindRefused::NotNow(code));
        }
        assert_eq!(refusal(48, ""), BindRefused::Other(48));
    }

    #[tokio::test]
    async fn an_empty_password_is_refused_before_a_byte_is_sent() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let credentials = Credentials { user: "reader@lab.example".into(), password: " ".to_owned().into() };

        let seen = simple(&mut ours, &credentials, Duration::from_secs(1)).await;

        drop(ours);
        let mut sent = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut sent).await.unwrap();
        assert_eq!(seen, Err(ConnectError::Bind(BindRefused::EmptyPassword)));
        assert!(sent.is_empty());
    }
}
