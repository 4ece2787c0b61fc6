//! Integers beyond 64 bits, exact in both directions.
//!
//! Python refuses to convert texts of more than some 4 300 digits (`sys.set_int_max_str_digits`),
//! because it takes time in the square of them. A number that is valid JSON has to pass all the
//! same, so what is too long is halved until Python takes it.

use pyo3::{exceptions::PyValueError, prelude::*, types::PyInt};

/// No setting of Python refuses texts this short.
const ALWAYS_TAKEN: usize = 512;

/// The integer that canonical digits say.
pub fn to_int<'py>(py: Python<'py>, digits: &str) -> PyResult<Bound<'py, PyAny>> {
    match py.get_type::<PyInt>().call1((digits,)) {
        Err(error) if digits.len() > ALWAYS_TAKEN && error.is_instance_of::<PyValueError>(py) => {}
        answer => return answer,
    }
    if let Some(positive) = digits.strip_prefix('-') {
        return to_int(py, positive)?.neg();
    }
    let (high, low) = digits.split_at(digits.len() / 2);
    let (scale, high) = (power_of_ten(py, low.len())?, to_int(py, high)?);
    high.mul(scale)?.add(to_int(py, low)?)
}

/// The canonical digits of an integer.
pub fn from_int(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    // An `IntEnum` prints its name, a plain `int` its digits.
    let int = py.get_type::<PyInt>().call1((value,))?;
    if let Some(text) = short_digits(&int)? {
        return Ok(text);
    }
    if int.lt(0)? {
        return Ok(format!("-{}", from_int(&int.neg()?)?));
    }
    let bits: usize = int.call_method0("bit_length")?.extract()?;
    // A bit is 0.3 digits: about half of them.
    let half = (bits * 3 / 20).max(1);
    let halves = int.divmod(power_of_ten(py, half)?)?;
    let (high, low) = (from_int(&halves.get_item(0)?)?, from_int(&halves.get_item(1)?)?);
    Ok(format!("{high}{low:0>half$}"))
}

/// The digits, unless they are too many for Python.
fn short_digits(int: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    match int.str() {
        Ok(text) => Ok(Some(text.to_str()?.to_owned())),
        Err(error) if error.is_instance_of::<PyValueError>(int.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn power_of_ten(py: Python<'_>, exponent: usize) -> PyResult<Bound<'_, PyAny>> {
    10_u8.into_pyobject(py)?.into_any().pow(exponent, py.None())
}
