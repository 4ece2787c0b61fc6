//! Addresses of servers, with the credentials taken out.

use std::net::IpAddr;

use async_nats::ServerAddr;

use super::{Address, NatsError, SignIn};

/// Where to connect and as whom, when nothing secret stands in an address any more.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub servers: Vec<ServerAddr>,
    pub sign_in: SignIn,
    /// Nothing is said before the connection is encrypted.
    pub needs_tls: bool,
    /// That is so only because somebody signs in far from home.
    pub is_tls_forced: bool,
    /// The addresses, for messages.
    pub shown: String,
}

impl Target {
    /// Reads the servers of an address. Credentials in one are how to sign in: the client would
    /// ignore them without a word.
    pub fn of(address: &Address) -> Result<Self, NatsError> {
        let mut servers = Vec::new();
        let mut sign_in = address.sign_in.clone();
        let mut is_from_url = false;
        for url in &address.servers {
            let (server, found) = read(url)?;
            let refused = |why: &str, fix: &str| Err(broken(url, why, fix));
            if let Some(found) = found {
                match (&sign_in, is_from_url) {
                    (SignIn::Anonymous, _) => (sign_in, is_from_url) = (found, true),
                    (known, true) if is_same(known, &found) => {}
                    (_, true) => {
                        return refused(
                            "it has other credentials than the server before it",
                            "sign in everywhere with the same",
                        );
                    }
                    (other, false) => {
                        let why =
                            format!("it has credentials, and `{}` is configured too", other.kind());
                        return refused(&why, "remove one of them");
                    }
                }
            }
            servers.push(server);
        }
        if servers.is_empty() {
            return Err(broken("no address", "there is no server", "write `nats://host:4222`"));
        }
        let is_asked = address.tls.is_some() || servers.iter().any(ServerAddr::tls_required);
        // A password sent in clear is everybody's on the way.
        let is_exposed = !sign_in.is_anonymous() && !servers.iter().all(is_this_machine);
        let shown: Vec<_> = servers.iter().map(|server| server.as_url_str().to_owned()).collect();
        Ok(Self {
            servers,
            sign_in,
            needs_tls: is_asked || is_exposed,
            is_tls_forced: is_exposed && !is_asked,
            shown: shown.join(", "),
        })
    }
}

/// An address without what may be secret in it.
pub(super) fn hide(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    match rest.rsplit_once('@') {
        // Whatever stands before the last `@`: a secret may hold any character.
        Some((_, host)) => format!("{scheme}://{host}"),
        None => url.to_owned(),
    }
}

fn read(text: &str) -> Result<(ServerAddr, Option<SignIn>), NatsError> {
    let server: ServerAddr = text.parse().map_err(|error: std::io::Error| {
        let why = error.to_string();
        let why = why.rsplit(": ").next().unwrap_or_default();
        broken(text, &format!("it is no address ({why})"), "write `nats://host:4222`")
    })?;
    if !matches!(server.scheme(), "nats" | "tls") {
        let why = format!("`{}` is not spoken", server.scheme());
        return Err(broken(text, &why, "use `nats://` or `tls://`"));
    }
    let mut url = server.into_inner();
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let is_plain = is_bare && matches!(url.path(), "" | "/");
    if !is_plain || url.host_str().is_none_or(str::is_empty) {
        let fix =
            "write `nats://host:4222`, and `/`, `?`, `#` of a password as `%2F`, `%3F`, `%23`";
        return Err(broken(text, "it is not a host and a port", fix));
    }
    let wrong = || broken(text, "its credentials are not UTF-8", "write others");
    let user = decode(url.username()).ok_or_else(wrong)?;
    let found = match url.password() {
        Some(password) => {
            let password = decode(password).ok_or_else(wrong)?;
            Some(SignIn::User { user, password })
        }
        None if user.is_empty() => None,
        None => Some(SignIn::Token(user)),
    };
    url.set_path("");
    let is_clean = url.set_username("").is_ok() && url.set_password(None).is_ok();
    let clean = is_clean.then(|| ServerAddr::from_url(url).ok()).flatten();
    let clean =
        clean.ok_or_else(|| broken(text, "it is no address", "write `nats://host:4222`"))?;
    Ok((clean, found))
}

fn broken(url: &str, why: &str, fix: &str) -> NatsError {
    NatsError::Connect {
        servers: hide(url),
        why: why.to_owned(),
        fix: fix.to_owned(),
        is_away: false,
    }
}

fn is_same(one: &SignIn, other: &SignIn) -> bool {
    match (one, other) {
        (
            SignIn::User { user, password },
            SignIn::User { user: other_user, password: other_password },
        ) => user == other_user && password == other_password,
        (SignIn::Token(one), SignIn::Token(other)) => one == other,
        _ => false,
    }
}

fn is_this_machine(server: &ServerAddr) -> bool {
    let host = server.host();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A text with `%2F` and the like read.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(servers: &[&str], sign_in: SignIn) -> Result<Target, String> {
        let servers = servers.iter().map(|&url| url.to_owned()).collect();
        let address = Address { servers, sign_in, ..Address::default() };
        assert!(!format!("{address:?}").contains("hush"));
        Target::of(&address).map_err(|error| error.to_string())
    }

    #[test]
    fn credentials_of_an_address_are_taken_out_and_used() {
        let found = target(&["nats://me:hu%2Fsh%40@127.0.0.1:1"], SignIn::Anonymous).unwrap();
        assert_eq!(found.shown, "nats://127.0.0.1:1");
        let SignIn::User { user, password } = found.sign_in else { panic!("a user") };
        assert_eq!((user.as_str(), password.as_str()), ("me", "hu/sh@"));
        let found = target(&["hush@[::1]:1", "hush@127.0.0.1"], SignIn::Anonymous).unwrap();
        assert!(matches!(found.sign_in, SignIn::Token(token) if token == "hush"));
        assert!(!found.needs_tls);
    }

    #[test]
    fn who_signs_in_far_from_home_does_so_encrypted() {
        let user = || SignIn::User { user: "me".to_owned(), password: "hush".to_owned() };
        let needs = |url, sign_in| {
            let found = target(&[url], sign_in).unwrap();
            (found.needs_tls, found.is_tls_forced)
        };
        assert_eq!(needs("nats://localhost", user()), (false, false));
        assert_eq!(needs("nats://10.0.0.7", SignIn::Anonymous), (false, false));
        assert_eq!(needs("nats://10.0.0.7", user()), (true, true));
        assert_eq!(needs("nats://me:hush@example.com", SignIn::Anonymous), (true, true));
        assert_eq!(needs("tls://example.com", user()), (true, false));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secrets() {
        for (urls, said) in [
            (&["nats://me:hush@h", "nats://me:hush2@i"][..], "nats://i: it has other credentials"),
            (&["nats://me:hu#hush@h:1"], "nats://h:1: it is no address (invalid port number)"),
            (&["nats://me:12/hush@h:1"], "nats://h:1: it is not a host and a port"),
            (&["ws://hush@h"], "ws://h: `ws` is not spoken"),
            (&["http://me:hush@h"], "http://h: it is no address"),
            (&["nats://me:%ffhush@h"], "nats://h: its credentials are not UTF-8"),
            (&[], "there is no server"),
        ] {
            let told = target(urls, SignIn::Anonymous).unwrap_err();
            assert!(told.contains(said), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
        let told = target(&["nats://me:hush@h"], SignIn::Token("hush".to_owned())).unwrap_err();
        assert!(told.contains("it has credentials, and `token` is configured too; remove one"));
    }
}
