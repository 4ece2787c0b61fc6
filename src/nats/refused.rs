//! Why there is no connection, in words that help.

use std::{error::Error, io};

use async_nats::{ConnectError, ConnectErrorKind};
use rustls::{AlertDescription, CertificateError};

use super::{Address, NatsError, SignIn, urls::Target};

/// What a failed connect means, and what to do about it.
pub(super) fn explain(error: &ConnectError, address: &Address, target: &Target) -> NatsError {
    let mut is_away = matches!(error.kind(), ConnectErrorKind::Dns | ConnectErrorKind::TimedOut);
    let (why, fix) = match error.kind() {
        ConnectErrorKind::AuthorizationViolation => sign_in(&target.sign_in),
        ConnectErrorKind::Authentication => (last(error), "sign in with another key".to_owned()),
        ConnectErrorKind::Dns => {
            ("its name is unknown".to_owned(), "check the name in `url`".to_owned())
        }
        ConnectErrorKind::TimedOut => (
            "nothing there speaks NATS within 5 s".to_owned(),
            "check the address, the port, and firewalls on the way".to_owned(),
        ),
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Tls
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => {
            if let Some(fault) = chain(error).find_map(tls_fault) {
                tls(fault, address, target)
            } else if is_refused(error) {
                is_away = true;
                let fix = "start a server there, or correct `url`";
                ("nobody listens".to_owned(), fix.to_owned())
            } else {
                let (why, fix, is_passing) = other(error, address, target);
                is_away = is_passing;
                (why, fix)
            }
        }
    };
    NatsError::Connect { servers: target.shown.clone(), why, fix, is_away }
}

fn sign_in(used: &SignIn) -> (String, String) {
    let (why, fix) = match used {
        SignIn::Anonymous => (
            "it wants to know who you are".to_owned(),
            "add `user` and `password`, `token`, `creds` or `nkey`",
        ),
        SignIn::User { user, .. } => (
            format!("it does not take user `{user}` with this password"),
            "check `user` and `password`",
        ),
        SignIn::Token(_) => ("it does not take this token".to_owned(), "check `token`"),
        SignIn::Nkey(_) => {
            ("it does not know this NKEY".to_owned(), "add its public key to the server's users")
        }
        SignIn::Creds(_) => (
            "it does not take these credentials; they may have expired, or be for other servers"
                .to_owned(),
            "make new ones for this operator and account",
        ),
    };
    (why, fix.to_owned())
}

fn tls(fault: &rustls::Error, address: &Address, target: &Target) -> (String, String) {
    let own_ca = address.tls.as_ref().is_some_and(|tls| tls.ca.is_some());
    let has_own = address.tls.as_ref().is_some_and(|tls| tls.own.is_some());
    let (why, fix) = match fault {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let whom = if own_ca { "in `tls.ca`" } else { "this machine knows" };
                let why = format!("its certificate is signed by nobody {whom}");
                return (why, "give its signer's certificate: `tls: {ca: …}`".to_owned());
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    "its certificate is for other names",
                    "write a name or address in `url` that its certificate has",
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("its certificate has expired", "renew it at the server")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("its certificate is not valid yet", "check the clock of this machine")
            }
            other => {
                let why = format!("its certificate is not valid ({other})");
                return (why, "renew it at the server".to_owned());
            }
        },
        rustls::Error::AlertReceived(alert) => {
            let wanted = matches!(
                alert,
                AlertDescription::CertificateRequired
                    | AlertDescription::BadCertificate
                    | AlertDescription::UnknownCA
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::CertificateExpired
                    | AlertDescription::UnsupportedCertificate
            );
            match (wanted, has_own) {
                (true, false) => ("it wants a client certificate", "add `tls: {cert: …, key: …}`"),
                (true, true) => (
                    "it does not take the client certificate of `tls.cert`",
                    "use one that the server's `ca_file` has signed, and that has not expired",
                ),
                (false, _) => {
                    let why = format!("it ended the TLS handshake ({alert:?})");
                    return (why, "check which versions of TLS it takes".to_owned());
                }
            }
        }
        rustls::Error::InvalidMessage(_) if target.is_tls_forced => (
            "it speaks no TLS, and credentials would cross the network in clear",
            "switch TLS on at the server, or sign in on the machine it runs on",
        ),
        rustls::Error::InvalidMessage(_) => {
            ("it speaks no TLS", "switch TLS on at the server, or use `nats://` without `tls`")
        }
        other => {
            return (format!("TLS failed ({other})"), "check the certificates".to_owned());
        }
    };
    (why.to_owned(), fix.to_owned())
}

/// Why, what to do, and whether the server may just be away.
fn other(error: &ConnectError, address: &Address, target: &Target) -> (String, String, bool) {
    let why = last(error);
    if why.contains("inconsistent keys") || why.contains("add certificate or key") {
        let why = "`tls.key` is not the key of `tls.cert`".to_owned();
        return (why, "give the two that belong together".to_owned(), false);
    }
    let has_own = address.tls.as_ref().is_some_and(|tls| tls.own.is_some());
    let is_closed = why.contains("broken pipe") || why.contains("eset") || why.contains("nothing");
    let asks_for_more = target.needs_tls && !has_own;
    let fix = match (is_closed, asks_for_more) {
        (true, true) => "look at its log; it may want a client certificate: `tls: {cert, key}`",
        (true, false) => "look at its log, and check that it is a server of NATS",
        (false, _) => "look at its log",
    };
    // What stands before a server accepts and hangs up while that is away; a network may be as well.
    let is_passing = if is_closed { !asks_for_more } else { is_unreachable(error) };
    let why = if is_closed { "it closed the connection".to_owned() } else { why };
    (why, fix.to_owned(), is_passing)
}

fn is_refused(error: &ConnectError) -> bool {
    has_kind(error, &[io::ErrorKind::ConnectionRefused])
}

fn is_unreachable(error: &ConnectError) -> bool {
    has_kind(error, &[io::ErrorKind::HostUnreachable, io::ErrorKind::NetworkUnreachable])
}

fn has_kind(error: &ConnectError, kinds: &[io::ErrorKind]) -> bool {
    chain(error).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|io| kinds.contains(&io.kind()))
    })
}

/// The error of TLS inside of an error of a socket, which hides it from `source`.
fn tls_fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inside.and_then(|error| error.downcast_ref()).or_else(|| error.downcast_ref())
}

fn last(error: &ConnectError) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn chain<'a>(error: &'a ConnectError) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}
