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
pub async fn hash(password: Password, salt: [u8; 16]) -> Result<Option<String>, DeskFull> {
    let work = move || {
        Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt).ok().map(|hash| hash.to_string())
    };
    Ok(DESK.do_in_turn(work).await?.flatten())
}

/// Without a stored hash the same work is done for nothing, so that time does not tell who exists.
pub async fn check(password: Password, stored: Option<String>) -> Result<Check, DeskFull> {
    let done = DESK.do_in_turn(move || compare(&password, stored.as_deref())).await?;
    Ok(done.unwrap_or(Check::Wrong))
}

type Work = Box<dyn FnOnce() + Send>;

/// Too many wait already: whoever comes now is sent away at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub struct DeskFull;

const THREADS: usize = 2;
/// The last of them waits a few seconds, which is as long as anybody looks at a sign-in page.
const WAITING: usize = 64;

/// Each hash takes 19 MiB and a core for a while: a crowd at the door waits in turn for these few threads, and fills
/// neither the memory nor the queue.
static DESK: LazyLock<Desk> = LazyLock::new(|| Desk::open(THREADS, WAITING));

#[derive(Debug)]
struct Desk(mpsc::SyncSender<Work>);

impl Desk {
    fn open(threads: usize, waiting: usize) -> Self {
        let (give, take) = mpsc::sync_channel::<Work>(waiting);
        let take = Arc::new(Mutex::new(take));
        for _ in 0..threads {
            let take = Arc::clone(&take);
            std::thread::spawn(move || {
                while let Some(work) = next(&take) {
                    work();
                }
            });
        }
        Self(give)
    }

    /// `None`: the work broke off.
    async fn do_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, DeskFull> {
        let (tell, told) = oneshot::channel();
        // Nobody may be waiting any more when it is done.
        let work = move || drop(tell.send(work()));
        match self.0.try_send(Box::new(work)) {
            Ok(()) => Ok(told.await.ok()),
            Err(mpsc::TrySendError::Full(_)) => Err(DeskFull),
            Err(mpsc::TrySendError::Disconnected(_)) => Ok(None),
        }
    }
}

fn next(take: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
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
        let stored = hash(typed("correct horse battery"), [7; 16]).await.unwrap();

        assert!(stored.as_deref().is_some_and(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")));
        assert_eq!(check(typed("correct horse battery"), stored.clone()).await, Ok(Check::Right));
        assert_eq!(check(typed("correct horse batterY"), stored).await, Ok(Check::Wrong));
        assert_eq!(check(typed("correct horse battery"), None).await, Ok(Check::Wrong));
        assert_eq!(check(typed("x"), Some("not a hash".into())).await, Ok(Check::Wrong));
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away_at_once() {
        let desk = Arc::new(Desk::open(1, 1));
        let (begun, has_begun) = oneshot::channel();
        let (release, held) = mpsc::channel::<()>();
        let at_work = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move {
                let work = move || {
                    begun.send(()).unwrap();
                    held.recv().is_ok()
                };
                desk.do_in_turn(work).await
            }
        });
        has_begun.await.unwrap();
        let waits = desk.do_in_turn(|| 1);
        tokio::pin!(waits);
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(waits.as_mut().poll(context))).await;
        assert!(polled.is_pending());

        assert_eq!(desk.do_in_turn(|| 2).await, Err(DeskFull));

        release.send(()).unwrap();
        assert_eq!(waits.await, Ok(Some(1)));
        assert_eq!(at_work.await.unwrap(), Ok(Some(true)));
        assert_eq!(desk.do_in_turn(|| 3).await, Ok(Some(3)), "there is room again");
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
