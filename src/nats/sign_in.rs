//! Signing in, and the files that it needs.

use std::{fs, path::Path, sync::Arc};

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::KeyPair;

use super::{Address, NatsError, SignIn, Tls, urls::Target};

/// What to sign in and encrypt with. Every file is looked at first: the client itself would say
/// late, or not at all, what is wrong with one.
pub(super) fn options(address: &Address, target: &Target) -> Result<ConnectOptions, NatsError> {
    let servers = || target.shown.clone();
    let faulty =
        |(why, fix): Fault| NatsError::Connect { servers: servers(), why, fix, is_away: false };
    let mut options = match &target.sign_in {
        SignIn::Anonymous => ConnectOptions::new(),
        SignIn::User { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.clone())
        }
        SignIn::Token(token) => ConnectOptions::with_token(token.clone()),
        SignIn::Nkey(path) => signing(path, nkey).map_err(faulty)?,
        SignIn::Creds(path) => signing(path, creds).map_err(faulty)?,
    };
    if let Some(Tls { ca, own }) = &address.tls {
        if let Some(ca) = ca {
            pem("ca", ca, "CERTIFICATE").map_err(faulty)?;
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((cert, key)) = own {
            pem("cert", cert, "CERTIFICATE").map_err(faulty)?;
            pem("key", key, "PRIVATE KEY").map_err(faulty)?;
            options = options.add_client_certificate(cert.clone(), key.clone());
        }
    }
    Ok(options)
}

/// What is wrong with a file, and what to do.
type Fault = (String, String);

/// Reads a file with a key anew at every connect, so that it can be replaced while this runs.
fn signing(
    path: &Path,
    parse: fn(&str) -> Result<(Auth, KeyPair), Fault>,
) -> Result<ConnectOptions, Fault> {
    let path: Arc<Path> = path.into();
    let read = move || {
        let named = |(why, fix): Fault| (format!("file {}: {why}", path.display()), fix);
        readable(&path).and_then(|text| parse(&text)).map_err(named)
    };
    read()?;
    Ok(ConnectOptions::with_auth_callback(move |nonce| {
        let signed = read().and_then(|(mut auth, key)| {
            let signature = key.sign(&nonce);
            auth.signature = Some(signature.map_err(|error| (error.to_string(), String::new()))?);
            Ok(auth)
        });
        std::future::ready(signed.map_err(|(why, fix)| AuthError::new(format!("{why}; {fix}"))))
    }))
}

/// The seed alone.
fn nkey(text: &str) -> Result<(Auth, KeyPair), Fault> {
    let fix = "give the file of a user's seed, which begins with `SU`";
    let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
    let key = seed.and_then(|seed| KeyPair::from_seed(seed).ok());
    let key = key.ok_or_else(|| ("it holds no seed of a user".to_owned(), fix.to_owned()))?;
    let mut auth = Auth::new();
    auth.nkey = Some(key.public_key());
    Ok((auth, key))
}

/// What `nsc` writes: a JWT between two rulers, then the seed.
fn creds(text: &str) -> Result<(Auth, KeyPair), Fault> {
    let fix = "give a file such as `nsc generate creds` writes";
    let missing = |what: &str| (format!("it holds no {what}"), fix.to_owned());
    let mut lines = text.lines().map(str::trim);
    let mut after = |title: &str| {
        lines.find(|line| line.starts_with("---") && line.contains(title))?;
        lines.next().filter(|line| !line.starts_with("---"))
    };
    let jwt = after("BEGIN NATS USER JWT").ok_or_else(|| missing("JWT of a user"))?.to_owned();
    let seed = after("BEGIN USER NKEY SEED").ok_or_else(|| missing("seed of a user"))?;
    let key = KeyPair::from_seed(seed).map_err(|_| missing("seed that can be read"))?;
    let mut auth = Auth::new();
    auth.jwt = Some(jwt);
    Ok((auth, key))
}

/// A file of TLS, which has to hold something of its sort.
fn pem(key: &str, path: &Path, sort: &str) -> Result<(), Fault> {
    let named = |why: String| format!("`tls.{key}` {}: {why}", path.display());
    let text = readable(path).map_err(|(why, fix)| (named(why), fix))?;
    let has_one = text.lines().any(|line| {
        line.starts_with("-----BEGIN") && line.trim_end().ends_with(&format!("{sort}-----"))
    });
    if has_one {
        return Ok(());
    }
    let fix = format!("give a PEM file with `-----BEGIN {sort}-----`");
    Err((named(format!("it holds no {}", sort.to_lowercase())), fix))
}

fn readable(path: &Path) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ("it is not there".to_owned(), "check the path".to_owned()),
        std::io::ErrorKind::PermissionDenied => {
            ("it may not be read".to_owned(), "let this user read it".to_owned())
        }
        _ => (format!("it cannot be read ({error})"), "check the path".to_owned()),
    })
}
