//! Actions as JSON, one after the other in one buffer: an object for each would take twice the room.

use std::ops::Range;

use pyo3::{
    exceptions::PyIndexError,
    prelude::*,
    types::{PyBytes, PyRange},
};

/// The JSON of actions, the oldest first.
#[pyclass(module = "live_crew._core")]
#[derive(Debug, Default)]
pub(super) struct Bodies {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// How many at the start count as gone already.
    gone: usize,
}

impl Bodies {
    pub(super) fn push(&mut self, body: &[u8]) {
        self.text.extend_from_slice(body);
        self.ends.push(self.text.len());
    }

    fn len(&self) -> usize {
        self.ends.len() - self.gone
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(self.gone + index)?;
        Some(self.start(self.gone + index)..end)
    }

    /// Frees what is gone.
    fn compact(&mut self) {
        let start = self.start(self.gone);
        self.text.drain(..start);
        self.ends.drain(..self.gone);
        self.ends.iter_mut().for_each(|end| *end -= start);
        self.gone = 0;
    }
}

#[pymethods]
impl Bodies {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyBytes>> {
        let index = if index < 0 { index + self.len().cast_signed() } else { index };
        let range = usize::try_from(index).ok().and_then(|index| self.range(index));
        let range = range.ok_or_else(|| PyIndexError::new_err("there are fewer actions"))?;
        Ok(PyBytes::new(py, &self.text[range]))
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let indices = PyRange::new(py, 0, slf.borrow().len().cast_signed())?;
        py.import("builtins")?.getattr("map")?.call1((slf.getattr("__getitem__")?, indices))
    }

    /// Takes over what is in another one, behind what is here.
    fn take(&mut self, other: &mut Self) {
        let mut other = std::mem::take(other);
        if self.ends.is_empty() {
            *self = other;
            return;
        }
        other.compact();
        let start = self.text.len();
        self.text.append(&mut other.text);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// Forgets the oldest while there are more than `most`; says how many.
    fn forget(&mut self, most: usize) -> usize {
        let forgotten = self.len().saturating_sub(most);
        self.gone += forgotten;
        // Not each time: that would move all the others each time.
        if self.gone > self.len() {
            self.compact();
        }
        forgotten
    }
}
