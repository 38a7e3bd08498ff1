//! Spends a token and leaves an identity and an empty spool: the same for `enroll` and for the service.

use rollcall_protocol::catalogue;
use rollcall_protocol::enrol::EnrolToken;

use super::{keeping, machine};
use crate::clock::{Chance, Clock};
use crate::cloud::enrol;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::spool::Spool;

/// Makes this machine an agent. The token is spent last: it must not be lost to a full disk.
pub async fn join(token: &str, config: &Config, clock: &Clock, chance: &Chance) -> Result<Identity, Diagnostic> {
    let folder = &config.data_dir;
    let _lock = keeping::lock(folder)?;
    if Identity::find(folder)?.is_some() {
        return Err(Diagnostic::new(catalogue::ALREADY_ENROLLED, folder.display(), Exit::Failed));
    }
    let (mut spool, _) = Spool::open(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    let facts = machine::facts();
    let new =
        enrol::enrol(token, &config.cloud, facts, clock, chance).await.map_err(|error| Diagnostic::from(&error))?;
    spool.wipe().map_err(|error| Diagnostic::from(&error))?;
    spool.begin_epoch(new.epoch).map_err(|error| Diagnostic::from(&error))?;
    new.identity.save(folder)?;
    Ok(new.identity)
}

/// Refuses a token of another cloud than the one that was named, before anything is sent anywhere.
pub fn check_cloud(token: &str, cloud_url: Option<&str>) -> Result<(), Diagnostic> {
    let Some(wanted) = cloud_url else { return Ok(()) };
    let refused = |detail: String| Diagnostic::new(catalogue::TOKEN_REFUSED, detail, Exit::Failed);
    let says = EnrolToken::peek(token.trim()).map_err(|_| refused("this is no token of Rollcall".to_owned()))?;
    if says.url == wanted.trim_end_matches('/') {
        return Ok(());
    }
    Err(refused(format!("the token is of {}, and {wanted} was named", says.url)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::key::PrivateKey;
    use uuid::Uuid;

    #[test]
    fn a_token_of_another_cloud_than_the_named_one_is_refused() {
        let token = EnrolToken {
            iss: Uuid::from_u128(1),
            url: "https://rollcall.example".into(),
            customer: Uuid::from_u128(2),
            jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            exp: 100,
        };
        let token = token.sign(&PrivateKey::from_seed(&[1; 32])).unwrap();

        assert!(check_cloud(&token, None).is_ok());
        assert!(check_cloud(&token, Some("https://rollcall.example/")).is_ok());
        let told = check_cloud(&token, Some("https://other.example")).unwrap_err();
        assert_eq!(told.fault, catalogue::TOKEN_REFUSED);
        assert!(check_cloud("no token", Some("https://rollcall.example")).is_err());
    }
}
