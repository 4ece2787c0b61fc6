//! What Python code answered, as the outcome of a run (rules A1 to A4).

use std::sync::Arc;

use pyo3::{
    exceptions::PySystemExit,
    intern,
    prelude::*,
    types::{PyDict, PyList, PyString, PyTuple},
};

use super::{
    action::Action,
    context::RunContext,
    json::{to_json, to_python, write_python},
    template::Text,
    time::to_text,
};
use crate::{
    engine::{
        Arrived, CrewName, Diff, Draft, Failure, Kind, Limits, Outcome, Output, Payload, Reason,
    },
    json::{Json, JsonLimits},
    wire::{Answer, Emits, Scope, read_output},
};

/// Room kept from one answer to the next.
const KEPT: usize = 1 << 20;

/// Everything needed to read the answers of one crew.
pub(super) struct Reader {
    pub(super) crew: CrewName,
    pub(super) emits: Emits,
    pub(super) limits: Limits,
    pub(super) json: JsonLimits,
    /// The kind of the last action: most crews have one.
    last_kind: Option<Kind>,
    /// The text of the last plain answer: room for the next.
    text: Vec<u8>,
}

impl Reader {
    pub(super) fn new(crew: CrewName, emits: Emits, limits: &Limits) -> Self {
        let json = JsonLimits { depth: limits.json_depth, bytes: limits.event_bytes };
        Self { crew, emits, limits: limits.clone(), json, last_kind: None, text: Vec::new() }
    }

    /// Another one for the same crew.
    pub(super) fn again(&self) -> Self {
        Self::new(self.crew.clone(), self.emits.clone(), &self.limits)
    }

    /// The outcome of a run that returned `value`.
    pub(super) fn read(
        &mut self,
        value: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, RunContext>>,
        trigger: Option<&Arrived>,
    ) -> Outcome {
        match self.try_read(value, context, trigger) {
            Ok(output) => Outcome::Done(Arc::new(output)),
            Err(Refused::Answer(message)) => {
                Outcome::Failed(Failure { reason: Reason::Output, message })
            }
            Err(Refused::Raised(error)) => Outcome::Failed(failure(value.py(), &error)),
        }
    }

    fn try_read(
        &mut self,
        value: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, RunContext>>,
        trigger: Option<&Arrived>,
    ) -> Result<Output, Refused> {
        let mut output = match self.read_plain(value)? {
            Some(output) => output,
            None => self.read_any(value, context, trigger)?,
        };
        if let Some(context) = context {
            let mut diff = context.borrow_mut().finish(value.py())?;
            diff.0.append(&mut output.diff.0);
            output.diff = diff;
        }
        Ok(output)
    }

    /// `None`, or a dict with nothing but `kind` and `payload`: what most handlers return, read
    /// without a tree in between.
    fn read_plain(&mut self, value: &Bound<'_, PyAny>) -> Result<Option<Output>, Refused> {
        if self.emits.payload.is_some() || self.emits.context.is_some() {
            return Ok(None);
        }
        if value.is_none() {
            let (actions, diff) = (Vec::new(), Diff::default());
            return Ok(Some(Output { actions, diff, value: Payload::null() }));
        }
        let Ok(dict) = value.cast_exact::<PyDict>() else {
            return Ok(None);
        };
        if dict.len() != 2 {
            return Ok(None);
        }
        let Some((kind, payload)) = kind_and_payload(dict)? else {
            return Ok(None);
        };
        let Ok(kind) = kind.cast_into_exact::<PyString>() else {
            return Ok(None);
        };
        let Some(kind) = self.kind(&kind.to_cow()?) else {
            return Ok(None);
        };
        // The answer in canonical form, with the payload inside.
        let text = &mut self.text;
        text.clear();
        text.extend_from_slice(b"{\"kind\":\"");
        text.extend_from_slice(kind.as_str().as_bytes());
        text.extend_from_slice(b"\",\"payload\":");
        let start = text.len();
        write_python(&payload, &self.json, text)
            .map_err(|error| Refused::Answer(error.message("output.payload")))?;
        let end = text.len();
        text.push(b'}');
        let value = Payload::from_canonical(&*text);
        let payload = value.part(start..end);
        if text.capacity() > KEPT {
            *text = Vec::new();
        }
        let draft = Draft {
            kind,
            payload,
            ttl_ms: self.emits.ttl_ms,
            stream: None,
            ts: None,
            correlation_id: None,
            transaction_id: None,
        };
        Ok(Some(Output { actions: vec![draft], diff: Diff::default(), value }))
    }

    /// A kind that may be used; the long way says what is wrong with any other.
    fn kind(&mut self, text: &str) -> Option<Kind> {
        if let Some(last) = self.last_kind.as_ref().filter(|last| last.as_str() == text) {
            return Some(last.clone());
        }
        let kind = Kind::new(text).ok().filter(|kind| !kind.is_reserved())?;
        self.last_kind = Some(kind.clone());
        Some(kind)
    }

    fn read_any(
        &self,
        value: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, RunContext>>,
        trigger: Option<&Arrived>,
    ) -> Result<Output, Refused> {
        let answer = if let Ok(text) = value.cast::<Text>() {
            Answer::Raw(text.get().text.clone())
        } else {
            let value = to_json(&plain(value, &self.limits)?, &self.json);
            Answer::Value(value.map_err(|error| Refused::Answer(error.message("output")))?)
        };
        let templated = self.emits.payload.is_some() || self.emits.context.is_some();
        let (mut event, mut ctx) = (Json::Null, Json::Null);
        if templated {
            if let Some(trigger) = trigger {
                event = crate::json::parse(trigger.event.payload.as_bytes(), &self.json)
                    .map_err(|error| Refused::Answer(error.to_string()))?;
            }
            if let Some(context) = context {
                ctx = context.borrow_mut().read_view();
            }
        }
        let event = Json::Object(crate::json::Object::unit("payload".into(), event));
        let scope = Scope { event: &event, ctx: &ctx };
        read_output(&self.crew, answer, &self.emits, scope, &self.limits)
            .map_err(|error| Refused::Answer(error.to_string()))
    }
}

/// What stands under `kind` and `payload` in a dict of two.
fn kind_and_payload<'py>(
    dict: &Bound<'py, PyDict>,
) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let py = dict.py();
    let (kind, payload) = (intern!(py, "kind"), intern!(py, "payload"));
    let mut items = dict.iter();
    // Literals are the same objects as ours, and most handlers write them in this order.
    if let (Some((first, said)), Some((second, told))) = (items.next(), items.next())
        && first.is(kind)
        && second.is(payload)
    {
        return Ok(Some((said, told)));
    }
    Ok(dict.get_item(kind)?.zip(dict.get_item(payload)?))
}

/// Why an answer is none.
enum Refused {
    Answer(String),
    Raised(PyErr),
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// What an exception says, as the failure of a run.
pub(super) fn failure(py: Python<'_>, error: &PyErr) -> Failure {
    let name =
        error.get_type(py).qualname().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    let text = error.value(py).str().map_or_else(|_| String::new(), |text| text.to_string());
    let message = if text.is_empty() { name } else { format!("{name}: {text}") };
    Failure { reason: Reason::Error, message: cut(message) }
}

/// An exit as an error of the run, with what to do instead; anything else as it is.
pub(super) fn without_exit(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PySystemExit>(py) {
        return error;
    }
    let made = || {
        let code = error.value(py).getattr(intern!(py, "code"))?;
        let errors = py.import(intern!(py, "live_crew.errors"))?;
        let exit = PyErr::from_value(errors.call_method1(intern!(py, "HandlerExit"), (code,))?);
        exit.set_cause(py, Some(error.clone_ref(py)));
        Ok(exit)
    };
    made().unwrap_or_else(|other: PyErr| other)
}

/// A message is read by people and kept in the journal: it needs no megabytes.
fn cut(mut message: String) -> String {
    const MOST: usize = 2_000;
    if let Some((at, _)) = message.char_indices().nth(MOST) {
        message.truncate(at);
        message.push('…');
    }
    message
}

/// An answer whose actions are dicts: the answer itself, the items of a list, or of `actions`.
fn plain<'py>(value: &Bound<'py, PyAny>, limits: &Limits) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(dict) = value.cast::<PyDict>()
        && let Some(actions) = dict.get_item(intern!(py, "actions"))?
    {
        let copy = dict.copy()?;
        copy.set_item(intern!(py, "actions"), plain_list(&actions, limits)?)?;
        return Ok(copy.into_any());
    }
    plain_list(&plain_item(value, limits)?, limits)
}

fn plain_list<'py>(value: &Bound<'py, PyAny>, limits: &Limits) -> PyResult<Bound<'py, PyAny>> {
    if !value.is_instance_of::<PyList>() && !value.is_instance_of::<PyTuple>() {
        return Ok(value.clone());
    }
    let items: PyResult<Vec<_>> =
        value.try_iter()?.map(|item| plain_item(&item?, limits)).collect();
    Ok(PyList::new(value.py(), items?)?.into_any())
}

fn plain_item<'py>(value: &Bound<'py, PyAny>, limits: &Limits) -> PyResult<Bound<'py, PyAny>> {
    match value.cast::<Action>() {
        Ok(action) => {
            let draft = action.get().to_draft(value.py(), limits)?;
            Ok(as_dict(value.py(), &draft)?.into_any())
        }
        Err(_) => Ok(value.clone()),
    }
}

/// An action as a dict with what it says of itself.
fn as_dict<'py>(py: Python<'py>, draft: &Draft) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "kind"), draft.kind.as_str())?;
    dict.set_item(intern!(py, "payload"), to_python(py, draft.payload.as_bytes())?)?;
    let texts = [
        ("stream_id", draft.stream.as_ref().map(ToString::to_string)),
        ("ts", draft.ts.map(to_text)),
        ("correlation_id", draft.correlation_id.as_ref().map(ToString::to_string)),
        ("transaction_id", draft.transaction_id.as_ref().map(ToString::to_string)),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            dict.set_item(key, text)?;
        }
    }
    if let Some(ttl_ms) = draft.ttl_ms {
        dict.set_item("ttl_ms", ttl_ms)?;
    }
    Ok(dict)
}
