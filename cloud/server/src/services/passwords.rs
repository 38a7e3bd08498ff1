//! Hashes and checks passwords with Argon2id, off the async threads.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Shorter ones are refused. NIST SP 800-63B asks for 8 at least, and for no rules about letters and signs.
pub const SHORTEST: usize = 12;
/// Longer ones only cost time.
pub const LONGEST: usize = 1024;

/// A password as typed; wiped when dropped, never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    pub fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Whether it may become somebody's password.
    pub fn is_acceptable(&self) -> bool {
        let length = self.0.chars().count();
        (SHORTEST..=LONGEST).contains(&length)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Whether a password is the one behind a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Right,
    Wrong,
}

/// The defaults are Argon2id with 19 MiB, two passes and one lane, as OWASP asks at least.
pub async fn hash(password: Password, salt: [u8; 16]) -> Option<String> {
    let work = move || {
        Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt).ok().map(|hash| hash.to_string())
    };
    at_the_desk(work).await.flatten()
}

/// Without a stored hash the same work is done for nothing, so that time does not tell who exists.
pub async fn check(password: Password, stored: Option<String>) -> Check {
    at_the_desk(move || compare(&password, stored.as_deref())).await.unwrap_or(Check::Wrong)
}

type Work = Box<dyn FnOnce() + Send>;

/// Each hash takes 19 MiB and a core for a while: a crowd at the door waits in turn for these few threads, and does not
/// fill the memory.
static DESK: LazyLock<mpsc::Sender<Work>> = LazyLock::new(|| {
    let (give, take) = mpsc::channel::<Work>();
    let take = Arc::new(Mutex::new(take));
    for _ in 0..2 {
        let take = Arc::clone(&take);
        std::thread::spawn(move || {
            while let Some(work) = next(&take) {
                work();
            }
        });
    }
    give
});

fn next(take: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

async fn at_the_desk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    // Nobody may be waiting any more when it is done.
    let work = move || drop(tell.send(work()));
    DESK.send(Box::new(work)).ok()?;
    told.await.ok()
}

fn compare(password: &Password, stored: Option<&str>) -> Check {
    let Some(parsed) = stored.and_then(|text| PasswordHash::new(text).ok()) else {
        let idle = Argon2::default().hash_password_with_salt(password.0.as_bytes(), &[0; 16]);
        drop(idle);
        return Check::Wrong;
    };
    match Argon2::default().verify_password(password.0.as_bytes(), &parsed) {
        Ok(()) => Check::Right,
        Err(_) => Check::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_opens() {
        let stored = hash(typed("correct horse battery"), [7; 16]).await;

        assert!(stored.as_deref().is_some_and(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")));
        assert_eq!(check(typed("correct horse battery"), stored.clone()).await, Check::Right);
        assert_eq!(check(typed("correct horse batterY"), stored).await, Check::Wrong);
        assert_eq!(check(typed("correct horse battery"), None).await, Check::Wrong);
        assert_eq!(check(typed("x"), Some("not a hash".into())).await, Check::Wrong);
    }

    #[test]
    fn a_password_has_twelve_characters_in_any_script() {
        assert!(!typed("elf zeichen").is_acceptable());
        assert!(typed("пароль пароль").is_acceptable());
        assert!(!typed(&"x".repeat(1025)).is_acceptable());
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", typed("secret")), "Password(…)");
    }
}
