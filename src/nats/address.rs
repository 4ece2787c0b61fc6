//! Where the servers are, and how to sign in.

use std::{fmt, path::PathBuf};

use super::urls::hide;

/// What a connection needs to be told.
#[derive(Clone, Default)]
pub struct Address {
    /// `nats://host:4222` or `tls://host:4222`. Credentials in one are taken out and signed in
    /// with; they are never shown.
    pub servers: Vec<String>,
    /// How to sign in.
    pub sign_in: SignIn,
    /// Files for TLS.
    pub tls: Option<Tls>,
    /// What the server shows this client as.
    pub name: String,
}

/// A way to sign in.
#[derive(Clone, Default)]
pub enum SignIn {
    /// Without anything, or with the certificate alone.
    #[default]
    Anonymous,
    /// A user and a password.
    User {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// One secret text.
    Token(String),
    /// A file with the seed of an NKEY.
    Nkey(PathBuf),
    /// A file with a JWT and a seed.
    Creds(PathBuf),
}

/// Certificates.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Those who sign for the server; absent: those of the system.
    pub ca: Option<PathBuf>,
    /// Own certificate and its key, for servers that ask for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl SignIn {
    /// What it is called, without anything secret.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User { .. } => "user and password",
            Self::Token(_) => "token",
            Self::Nkey(_) => "nkey",
            Self::Creds(_) => "creds",
        }
    }

    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }
}

impl fmt::Debug for Address {
    /// Without anything secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(|url| hide(url)).collect();
        f.debug_struct("Address")
            .field("servers", &servers)
            .field("sign_in", &self.sign_in)
            .field("tls", &self.tls)
            .field("name", &self.name)
            .finish()
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}
