//! The section `transport: {kind: nats}`, and what there is to ask of a server.

use std::{collections::BTreeMap, path::PathBuf};

use pyo3::{exceptions::PyValueError, prelude::*};
use pythonize::pythonize;

use super::{errors::transport_error, io::block_on};
use crate::nats::{Address, Connection, Report, SignIn, Tls};

/// The section as `NatsTransport.address` of Python gives it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Section {
    url: Vec<String>,
    #[pyo3(default)]
    user: Option<String>,
    #[pyo3(default)]
    password: Option<String>,
    #[pyo3(default)]
    token: Option<String>,
    #[pyo3(default)]
    creds: Option<PathBuf>,
    #[pyo3(default)]
    nkey: Option<PathBuf>,
    #[pyo3(default)]
    tls: Option<BTreeMap<String, PathBuf>>,
    #[pyo3(default)]
    name: Option<String>,
}

impl TryFrom<Section> for Address {
    type Error = PyErr;

    fn try_from(section: Section) -> PyResult<Self> {
        let Section { url, user, password, token, creds, nkey, tls, name } = section;
        let both = |user, password| match (user, password) {
            (Some(user), Some(password)) => Ok(Some(SignIn::User { user, password })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(PyValueError::new_err("`user` has no `password`; add it")),
            (None, Some(_)) => Err(PyValueError::new_err("`password` has no `user`; add it")),
        };
        let ways = [
            both(user, password)?,
            token.map(SignIn::Token),
            creds.map(SignIn::Creds),
            nkey.map(SignIn::Nkey),
        ];
        let mut ways = ways.into_iter().flatten();
        let sign_in = ways.next().unwrap_or_default();
        if let Some(other) = ways.next() {
            let (one, other) = (sign_in.kind(), other.kind());
            let wrong = format!("`{one}` and `{other}` are two ways to sign in; remove one");
            return Err(PyValueError::new_err(wrong));
        }
        Ok(Self {
            servers: url,
            sign_in,
            tls: tls.map(read_tls).transpose()?,
            name: name.unwrap_or_else(|| "live-crew".to_owned()),
        })
    }
}

/// `ca`, and `cert` with `key`.
fn read_tls(mut files: BTreeMap<String, PathBuf>) -> PyResult<Tls> {
    let own = match (files.remove("cert"), files.remove("key")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(PyValueError::new_err("`cert` has no `key`; add it")),
        (None, Some(_)) => return Err(PyValueError::new_err("`key` has no `cert`; add it")),
    };
    Ok(Tls { ca: files.remove("ca"), own })
}

/// Where to connect, out of a mapping with the keys of the section.
pub(super) fn read_address(section: &Bound<'_, PyAny>) -> PyResult<Address> {
    section.extract::<Section>()?.try_into()
}

/// What a server is, can do and has; `address` is `NatsTransport.address()`.
#[pyfunction]
fn check_server<'py>(py: Python<'py>, address: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let address = read_address(address)?;
    let asked = py.detach(|| {
        block_on(async {
            let nats = Connection::open(&address).await?;
            Report::of(&nats).await
        })
    });
    let report = asked.map_err(|error| transport_error(&error))?;
    Ok(pythonize(py, &report)?)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_server, module)?)
}
