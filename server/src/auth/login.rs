//! Signing in with a name and a password.
//!
//! Ten wrong passwords in fifteen minutes close an account's door for a while,
//! known and unknown names alike. So that a stranger who types wrong passwords
//! does not lock the owner out, a browser in which she has signed in before
//! counts by itself; and sessions that are open stay open.
//!
//! Attempts for one name are judged one after the other, so that a hundred at
//! once are no more than ten.
//!
//! Source: reliability-security.md, L7

use std::sync::Arc;

use tokio::sync::Mutex;

use super::person::User;
use super::server::{AuthorizationServer, DAY, SECOND, ServerError};
use crate::secret::{Secret, hash};
use crate::store::entity::{failed_sign_in, known_browser, session};

/// Wrong passwords that an account allows in [`WINDOW`].
const TRIES: u64 = 10;
const WINDOW: i64 = 15 * 60 * SECOND;
/// How long a session lasts.
pub const SESSION: i64 = 12 * 3600 * SECOND;
/// How long a browser is remembered.
pub const BROWSER: i64 = 180 * DAY;
const LANES: usize = 64;

/// One queue for each group of names; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<Vec<Mutex<()>>>);

impl Default for Lanes {
    fn default() -> Self {
        Self(Arc::new((0..LANES).map(|_| Mutex::new(())).collect()))
    }
}

/// What a person typed, and what her browser sent along.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Sign-in name.
    pub name: String,
    /// Password.
    pub password: Secret,
    /// Cookie of a browser that may be known.
    pub browser: Option<String>,
    /// Cookie of the session before.
    pub session: Option<String>,
}

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session cookie's value.
    pub session: Secret,
    /// The cookie by which the browser is known from now on, if it was not.
    pub browser: Option<Secret>,
    /// Who.
    pub user: User,
}

/// Why someone was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Name or password, or the account is locked: not told apart.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Too many wrong passwords.
    #[error("too many wrong passwords; try again in a quarter of an hour")]
    TooMany,
    /// Our own fault.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl From<sea_orm::DbErr> for LoginError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Server(error.into())
    }
}

/// Signs a person in.
pub async fn sign_in(server: &AuthorizationServer, attempt: Attempt) -> Result<SignedIn, LoginError> {
    let name = attempt.name.trim();
    let now = server.clock.micros();
    let account = server.accounts.account_named(name).await?;
    let known = match (&account, &attempt.browser) {
        (Some(account), Some(cookie)) => {
            server.accounts.knows_browser(&hash(cookie.as_bytes()), &account.id, now).await?
        }
        _ => false,
    };
    let key = match &attempt.browser {
        Some(cookie) if known => hash(format!("browser {cookie}").as_bytes()),
        _ => hash(format!("name {name}").as_bytes()),
    };
    let _turn = server.lanes.0[usize::from(key[0]) % LANES].lock().await;
    if server.accounts.failures(&key, now - WINDOW).await? >= TRIES {
        return Err(LoginError::TooMany);
    }
    let stored = account.as_ref().map(|account| account.password.clone());
    let fits = server.passwords.verify(attempt.password, stored).await?;
    let Some(account) = account.filter(|account| fits && !account.locked) else {
        let id = server.random.id();
        server.accounts.note_failure(failed_sign_in::Model { id, key: key.to_vec(), at: now }).await?;
        return Err(LoginError::Wrong);
    };
    let user = User::of(account).map_err(ServerError::from)?;
    let browser = if known { None } else { Some(remember(server, &user, now).await?) };
    let session = open(server, &user, attempt.session.as_deref(), now).await?;
    Ok(SignedIn { session, browser, user })
}

async fn open(server: &AuthorizationServer, user: &User, before: Option<&str>, now: i64) -> Result<Secret, LoginError> {
    let cookie = Secret::new(server.random.token());
    let row = session::Model {
        hash: hash(cookie.reveal().as_bytes()).to_vec(),
        account: user.id.clone(),
        csrf: server.random.token(),
        signed_in: now,
        expires: now + SESSION,
    };
    let before = before.map(|cookie| hash(cookie.as_bytes()));
    server.accounts.open_session(row, before.as_ref().map(<[u8; 32]>::as_slice)).await?;
    Ok(cookie)
}

async fn remember(server: &AuthorizationServer, user: &User, now: i64) -> Result<Secret, LoginError> {
    let cookie = Secret::new(server.random.token());
    let row = known_browser::Model {
        hash: hash(cookie.reveal().as_bytes()).to_vec(),
        account: user.id.clone(),
        expires: now + BROWSER,
    };
    server.accounts.know_browser(row).await?;
    Ok(cookie)
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// SHA-256 of the cookie.
    pub hash: Vec<u8>,
    /// What forms must send back.
    pub csrf: String,
    /// When the password was given.
    pub signed_in: i64,
    /// When it ends.
    pub expires: i64,
    /// Who.
    pub user: User,
}

/// The session of a cookie, if it is alive.
pub async fn session(server: &AuthorizationServer, cookie: &str) -> Result<Option<Session>, ServerError> {
    let found = server.accounts.session(&hash(cookie.as_bytes()), server.clock.micros()).await?;
    let Some((row, account)) = found else { return Ok(None) };
    let user = User::of(account)?;
    Ok(Some(Session { hash: row.hash, csrf: row.csrf, signed_in: row.signed_in, expires: row.expires, user }))
}
