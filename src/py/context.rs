//! `ctx`: what a run sees of the world, and the changes it makes to the shared context (X1, X2).

use std::{collections::BTreeMap, sync::Arc};

use pyo3::{
    exceptions::{PyKeyError, PyRuntimeError, PyTypeError},
    intern,
    prelude::*,
    types::{PyBytes, PyDict, PyInt, PyIterator, PyList, PyString, PyTuple, PyType},
};

use super::{
    changes::{change_error, differences, is_mutable, keys_of, show},
    json::{json_to_python, to_json, to_python},
    time::to_datetime,
};
use crate::{
    engine::{
        Change, ChangeError, Context, CrewName, CrewSpec, Diff, Job, Met, Op, RunKey, Seed, Slice,
        StreamId, Timestamp,
    },
    json::{Json, JsonLimits, Number},
};

/// What a run reads and writes. A mapping of the shared context, and the run's logical time.
///
/// Values are handed out as plain lists and dicts. They may be changed in place, at any depth:
/// what differs when the run ends becomes path-level changes.
#[pyclass(name = "Context", module = "live_crew", mapping)]
pub(super) struct RunContext {
    about: About,
    /// Without the last changes, which most runs do not read again.
    view: Context,
    limits: JsonLimits,
    ops: Vec<Op>,
    /// How many of them are in the view.
    applied: usize,
    /// Lists and dicts that were handed out, by the key they stand under.
    lent: BTreeMap<Arc<str>, Py<PyAny>>,
    events: Option<Py<PyList>>,
    randoms: Option<Py<PyDict>>,
    is_over: bool,
}

/// Which run it is.
struct About {
    stream: StreamId,
    crew: CrewName,
    key: RunKey,
    attempt: u32,
    slice: Slice,
    now: Timestamp,
    needs: Vec<String>,
    /// The name of each need in `deps`.
    names: Vec<String>,
    met: Vec<Option<Met>>,
}

impl RunContext {
    pub(super) fn new(
        stream: &StreamId,
        spec: &CrewSpec,
        job: &Job,
        limits: JsonLimits,
        events: Option<Py<PyList>>,
    ) -> Self {
        let about = About {
            stream: stream.clone(),
            crew: spec.name.clone(),
            key: job.run.key,
            attempt: job.attempt,
            slice: job.slice,
            now: job.now,
            needs: spec.needs.iter().map(ToString::to_string).collect(),
            names: spec.needs.iter().map(|need| need.name().to_owned()).collect(),
            met: job.met.clone(),
        };
        let view = job.view.clone();
        let (ops, lent) = (Vec::new(), BTreeMap::new());
        let (applied, randoms, is_over) = (0, None, false);
        Self { about, view, limits, ops, applied, lent, events, randoms, is_over }
    }

    /// The changes the run made; it can make no more.
    pub(super) fn finish(&mut self, py: Python<'_>) -> PyResult<Diff> {
        self.is_over = true;
        for (key, object) in std::mem::take(&mut self.lent) {
            self.take_in(py, &key, &object)?;
        }
        Ok(Diff(self.ops.clone()))
    }

    /// The context as the run has it now, for templates.
    pub(super) fn read_view(&mut self) -> Json {
        self.view().to_json()
    }

    /// The context as the run has it now.
    fn view(&mut self) -> &Context {
        for op in &self.ops[std::mem::replace(&mut self.applied, self.ops.len())..] {
            let done = self.view.apply(op);
            debug_assert!(done.is_ok(), "it fits whatever is there");
        }
        &self.view
    }

    fn check(&self) -> PyResult<()> {
        if self.is_over {
            let run = format!("{}/{}", self.about.crew, self.about.key);
            return Err(PyRuntimeError::new_err(format!(
                "run {run} is over, its context can be changed no more; change it before the run returns"
            )));
        }
        Ok(())
    }

    /// Records how a value that was handed out was changed in place.
    fn take_in(&mut self, py: Python<'_>, key: &Arc<str>, object: &Py<PyAny>) -> PyResult<()> {
        let new = self.read(object.bind(py), key)?;
        let mut ops = Vec::new();
        differences(&mut vec![Arc::clone(key)], self.view().root().get(key), &new, &mut ops);
        ops.into_iter().try_for_each(|op| self.record(op))
    }

    fn record(&mut self, op: Op) -> PyResult<()> {
        if op.always_fits() {
            self.ops.push(op);
            return Ok(());
        }
        self.view();
        self.view.apply(&op).map_err(|error| change_error(&error))?;
        self.ops.push(op);
        self.applied = self.ops.len();
        Ok(())
    }

    fn read(&self, value: &Bound<'_, PyAny>, key: &str) -> PyResult<Json> {
        to_json(value, &self.limits)
            .map_err(|error| error.into_error(value.py(), &format!("ctx[{key:?}]")))
    }

    fn get_value<'py>(
        &mut self,
        py: Python<'py>,
        key: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(lent) = self.lent.get(key) {
            return Ok(Some(lent.bind(py).clone()));
        }
        let Some((name, json)) = self.view().root().get_key_value(key) else {
            return Ok(None);
        };
        let value = json_to_python(py, json)?;
        if matches!(json, Json::Array(_) | Json::Object(_)) {
            let name = Arc::clone(name);
            self.lent.insert(name, value.clone().unbind());
        }
        Ok(Some(value))
    }

    fn set_value(&mut self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check()?;
        let json = self.read(value, key)?;
        let key: Arc<str> = key.into();
        self.lent.remove(&key);
        if matches!(json, Json::Array(_) | Json::Object(_)) && is_mutable(value) {
            self.lent.insert(Arc::clone(&key), value.clone().unbind());
        }
        self.record(Op { path: vec![key], change: Change::Set(json) })
    }

    /// Records a change below a key, and shows it in the value that was handed out, if one was.
    fn change_at(&mut self, py: Python<'_>, path: &[Arc<str>], change: Change) -> PyResult<()> {
        self.check()?;
        let first = Arc::clone(path.first().ok_or_else(|| change_error(&ChangeError::NoPath))?);
        let lent = self.lent.get(&first).map(|object| object.clone_ref(py));
        if let Some(object) = &lent {
            self.take_in(py, &first, object)?;
        }
        self.record(Op { path: path.to_vec(), change })?;
        if let (Some(object), Some(value)) = (lent, self.view().at(path)) {
            show(py, object.bind(py), path, json_to_python(py, value)?)?;
        }
        Ok(())
    }
}

#[pymethods]
impl RunContext {
    fn __getitem__<'py>(&mut self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        self.get_value(py, key)?.ok_or_else(|| PyKeyError::new_err(key.to_owned()))
    }

    fn __setitem__(&mut self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set_value(key, value)
    }

    fn __delitem__(&mut self, key: &str) -> PyResult<()> {
        self.check()?;
        if !self.view().root().contains_key(key) {
            return Err(PyKeyError::new_err(key.to_owned()));
        }
        self.lent.remove(key);
        self.record(Op { path: vec![key.into()], change: Change::Delete })
    }

    fn __contains__(&mut self, key: &Bound<'_, PyAny>) -> bool {
        key.cast::<PyString>()
            .is_ok_and(|key| key.to_cow().is_ok_and(|key| self.view().root().contains_key(&*key)))
    }

    fn __len__(&mut self) -> usize {
        self.view().root().len()
    }

    fn __iter__<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys(py)?.try_iter()
    }

    fn __repr__(&mut self) -> String {
        format!("Context({:?})", self.view())
    }

    /// The value of a key, or a default.
    #[pyo3(signature = (key, default = None, /))]
    fn get<'py>(
        &mut self,
        py: Python<'py>,
        key: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.get_value(py, key)?.or(default))
    }

    /// The keys, in byte order.
    fn keys<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.view().root().keys().map(|key| &**key))
    }

    /// The values, in the order of the keys.
    fn values<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let keys: Vec<Arc<str>> = self.view().root().keys().cloned().collect();
        keys.iter().map(|key| self.__getitem__(py, key)).collect()
    }

    /// Keys and values, in the order of the keys.
    fn items<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        let keys: Vec<Arc<str>> = self.view().root().keys().cloned().collect();
        keys.iter().map(|key| Ok((key.to_string(), self.__getitem__(py, key)?))).collect()
    }

    /// Takes a key out and gives its value, or a default.
    #[pyo3(signature = (key, *default))]
    fn pop<'py>(
        &mut self,
        py: Python<'py>,
        key: &str,
        default: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.get_value(py, key)? {
            Some(value) => {
                self.__delitem__(key)?;
                Ok(value)
            }
            None if default.is_empty() => Err(PyKeyError::new_err(key.to_owned())),
            None => default.get_item(0),
        }
    }

    /// The value of a key, which is set to a default if it has none.
    #[pyo3(signature = (key, default, /))]
    fn setdefault<'py>(
        &mut self,
        py: Python<'py>,
        key: &str,
        default: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.get_value(py, key)? {
            return Ok(value);
        }
        self.set_value(key, &default)?;
        Ok(default)
    }

    /// Sets every key of a mapping.
    #[pyo3(signature = (other = None, /, **members))]
    fn update(
        &mut self,
        other: Option<&Bound<'_, PyAny>>,
        members: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        if let Some(other) = other {
            let pairs = PyDict::new(other.py());
            pairs.call_method1(intern!(other.py(), "update"), (other,))?;
            self.set_all(&pairs)?;
        }
        members.map_or(Ok(()), |members| self.set_all(members))
    }

    /// Adds to a number, 0 if it is not there. Never a conflict with other crews that add.
    ///
    /// A path is dotted (`"score.home"`), or a list of keys.
    #[pyo3(signature = (path, by = None))]
    fn incr<'py>(
        &mut self,
        path: &Bound<'py, PyAny>,
        by: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = path.py();
        let path = keys_of(path)?;
        let by = match by.map(|by| self.read(by, "incr")).transpose()? {
            None => Number::from_i64(1),
            Some(Json::Number(by)) => by,
            Some(other) => {
                return Err(PyTypeError::new_err(format!(
                    "`ctx.incr` adds a number, not {}",
                    other.type_name()
                )));
            }
        };
        self.change_at(py, &path, Change::Incr(by))?;
        json_to_python(py, self.view().at(&path).unwrap_or(&Json::Null))
    }

    /// Appends to a list, `[]` if it is not there. Never a conflict with other crews that append.
    ///
    /// A path is dotted (`"match.goals"`), or a list of keys.
    fn append(&mut self, path: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let keys = keys_of(path)?;
        let value = self.read(value, &keys.join("."))?;
        self.change_at(path.py(), &keys, Change::Append(value))
    }

    /// What time it is for the run: the end of its slice, the same whenever it is replayed.
    #[getter]
    fn now<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_datetime(py, self.about.now)
    }

    /// The slice the run started in.
    #[getter]
    fn slice(&self) -> i64 {
        self.about.slice.0
    }

    /// The stream.
    #[getter]
    fn stream_id(&self) -> &str {
        self.about.stream.as_str()
    }

    /// The crew.
    #[getter]
    fn crew(&self) -> &str {
        self.about.crew.as_str()
    }

    /// The run, as causation ids name it: `crew/slice.place`.
    #[getter]
    fn run(&self) -> String {
        format!("{}/{}", self.about.crew, self.about.key)
    }

    /// Which attempt it is, from 1.
    #[getter]
    fn attempt(&self) -> u32 {
        self.about.attempt
    }

    /// The trigger events, in order.
    #[getter]
    fn events(&self, py: Python<'_>) -> Py<PyList> {
        self.events.as_ref().map_or_else(|| PyList::empty(py).unbind(), |list| list.clone_ref(py))
    }

    /// What the needs that are met answered, by crew or kind.
    #[getter]
    fn deps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let deps = PyDict::new(py);
        for (name, met) in self.about.names.iter().zip(&self.about.met) {
            if let Some(met) = met {
                deps.set_item(name, to_python(py, met.output.as_bytes())?)?;
            }
        }
        Ok(deps)
    }

    /// The needs that are not met, as `crew@offset`.
    #[getter]
    fn missing(&self) -> Vec<&str> {
        let needs = self.about.needs.iter().zip(&self.about.met);
        needs.filter(|(_, met)| met.is_none()).map(|(need, _)| need.as_str()).collect()
    }

    /// A `random.Random` that replays: one sequence for each name.
    #[pyo3(signature = (name = "random"))]
    fn random<'py>(&mut self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let randoms = self.randoms.get_or_insert_with(|| PyDict::new(py).unbind()).bind(py).clone();
        if let Some(known) = randoms.get_item(name)? {
            return Ok(known);
        }
        let mut seed = [0; 16];
        self.seed().fill(name, &mut seed);
        let int = py
            .get_type::<PyInt>()
            .call_method1(intern!(py, "from_bytes"), (PyBytes::new(py, &seed), "big"))?;
        let random = py.import("random")?.getattr("Random")?.call1((int,))?;
        randoms.set_item(name, &random)?;
        Ok(random)
    }

    /// A UUID that replays: one for each name.
    #[pyo3(signature = (name = "uuid"))]
    fn uuid<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = PyDict::new(py);
        kwargs.set_item("bytes", PyBytes::new(py, &self.seed().uuid(name)))?;
        py.import("uuid")?.getattr("UUID")?.call((), Some(&kwargs))
    }

    #[classmethod]
    fn __class_getitem__(cls: &Bound<'_, PyType>, _item: &Bound<'_, PyAny>) -> Py<PyType> {
        cls.clone().unbind()
    }
}

impl RunContext {
    fn seed(&self) -> Seed {
        let About { stream, slice, crew, key, .. } = &self.about;
        Seed::of_run(stream, *slice, crew, *key)
    }

    fn set_all(&mut self, members: &Bound<'_, PyDict>) -> PyResult<()> {
        for (key, value) in members {
            let key = key.cast::<PyString>().map_err(|_| {
                PyTypeError::new_err(format!("context keys are strings, not {key:?}"))
            })?;
            self.set_value(&key.to_cow()?, &value)?;
        }
        Ok(())
    }
}
