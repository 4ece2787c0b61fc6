//! The section `transport: {kind: nats}`.

use pyo3::prelude::*;

use crate::nats::{Address, SignIn};

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Section {
    url: Vec<String>,
    #[pyo3(default)]
    token: Option<String>,
}

/// Where to connect, out of a mapping with the keys of the section.
pub(super) fn read_address(section: &Bound<'_, PyAny>) -> PyResult<Address> {
    let Section { url, token } = section.extract()?;
    let sign_in = token.map_or(SignIn::Anonymous, SignIn::Token);
    Ok(Address { servers: url, sign_in, tls: None, name: "live-crew".into() })
}
