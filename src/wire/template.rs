//! JSON whose strings may hold expressions over names such as `output`, `event` and `ctx` (rule A3).

use std::{fmt, sync::Arc};

use minijinja::{
    Environment, Error, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{Enumerator, Object, ObjectRepr, ValueKind},
};
use serde::{Deserialize, Serialize};

use super::suggest::cut;
use crate::json::{self, Json, JsonLimits, Number};

/// Instructions one string may take; a template that loops over more is a mistake.
const FUEL: u64 = 100_000;

/// A value to be filled in, checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct Template(Json);

/// An expression that cannot be read, or names something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`: {reason}")]
pub struct TemplateError {
    /// The string it is about, cut to 60 characters.
    pub template: String,
    /// What is wrong with it.
    pub reason: String,
}

impl TemplateError {
    fn new(template: &str, reason: impl fmt::Display) -> Self {
        Self { template: cut(template), reason: reason.to_string() }
    }

    fn from_jinja(template: &str, error: &Error) -> Self {
        match error.detail() {
            Some(detail) => Self::new(template, format_args!("{}: {detail}", error.kind())),
            None => Self::new(template, error.kind()),
        }
    }
}

impl Template {
    /// Checks every expression in the strings of `source`. Keys are taken as they stand.
    pub fn new(source: Json) -> Result<Self, TemplateError> {
        check(&environment(), &source)?;
        Ok(Self(source))
    }

    /// Fills in. What an expression gives is never read as a template again.
    pub fn render(&self, scope: &json::Object) -> Result<Json, TemplateError> {
        let filled = render(&environment(), &self.0, &to_value(&Json::Object(scope.clone())));
        filled.map_err(|mut error| {
            let names: Vec<String> = scope.keys().map(|name| format!("`{name}`")).collect();
            error.reason = format!("{}; it may use {}", error.reason, names.join(", "));
            error
        })
    }
}

impl TryFrom<Json> for Template {
    type Error = TemplateError;
    fn try_from(source: Json) -> Result<Self, TemplateError> {
        Self::new(source)
    }
}

impl From<Template> for Json {
    fn from(template: Template) -> Self {
        template.0
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the default delimiters are valid"));
    environment.set_fuel(Some(FUEL));
    environment
}

fn check(environment: &Environment<'_>, node: &Json) -> Result<(), TemplateError> {
    match node {
        Json::String(text) if sole_expression(environment, text).is_none() => environment
            .template_from_str(text)
            .map(drop)
            .map_err(|error| TemplateError::from_jinja(text, &error)),
        Json::Array(items) => items.iter().try_for_each(|item| check(environment, item)),
        Json::Object(members) => members.values().try_for_each(|value| check(environment, value)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
    }
}

fn render(
    environment: &Environment<'_>,
    node: &Json,
    scope: &Value,
) -> Result<Json, TemplateError> {
    match node {
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(node.clone()),
        Json::String(text) => render_string(environment, text, scope),
        Json::Array(items) => {
            let items = items.iter().map(|item| render(environment, item, scope));
            Ok(Json::Array(Arc::new(items.collect::<Result<_, _>>()?)))
        }
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| Ok((Arc::clone(key), render(environment, value, scope)?)));
            Ok(Json::Object(members.collect::<Result<_, _>>()?))
        }
    }
}

fn render_string(
    environment: &Environment<'_>,
    text: &Arc<str>,
    scope: &Value,
) -> Result<Json, TemplateError> {
    if !text.contains('{') {
        return Ok(Json::String(Arc::clone(text)));
    }
    let jinja = |error: Error| TemplateError::from_jinja(text, &error);
    if let Some(expression) = sole_expression(environment, text) {
        let value = expression.eval(scope).map_err(jinja)?;
        return from_value(&value).map_err(|reason| TemplateError::new(text, reason));
    }
    Ok(Json::from(&*environment.render_str(text, scope).map_err(jinja)?))
}

/// The expression of a string that is exactly `{{ expression }}`: its value keeps its type.
fn sole_expression<'e>(
    environment: &'e Environment<'e>,
    text: &'e str,
) -> Option<minijinja::Expression<'e, 'e>> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{-` and `{{+` steer white space; as an expression they would be signs.
    if inner.starts_with(['-', '+']) {
        return None;
    }
    environment.compile_expression(inner).ok()
}

/// JSON as expressions see it; what they hand on unchanged comes back unchanged.
#[derive(Debug)]
struct Lens(Json);

fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::String(text) => Value::from(Arc::clone(text)),
        Json::Number(number) => match (number.as_i64(), number.is_integer(), number.as_f64()) {
            (Some(int), _, _) => Value::from(int),
            (None, false, Some(float)) => Value::from(float),
            // A long integer keeps its digits, and no arithmetic is done with it.
            _ => Value::from_object(Lens(json.clone())),
        },
        Json::Array(_) | Json::Object(_) => Value::from_object(Lens(json.clone())),
    }
}

impl Object for Lens {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.0 {
            Json::Object(_) => ObjectRepr::Map,
            Json::Array(_) => ObjectRepr::Seq,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match &self.0 {
            Json::Object(members) => members.get(key.as_str()?).map(to_value),
            Json::Array(items) => items.get(key.as_usize()?).map(to_value),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.0 {
            Json::Object(members) => {
                Enumerator::Values(members.keys().map(|key| Value::from(Arc::clone(key))).collect())
            }
            Json::Array(items) => Enumerator::Seq(items.len()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                Enumerator::NonEnumerable
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What an expression gave, as JSON; the error says why it is none.
fn from_value(value: &Value) -> Result<Json, String> {
    if let Some(Lens(json)) = value.downcast_object_ref() {
        return Ok(json.clone());
    }
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::String => Ok(Json::from(value.as_str().unwrap_or_default())),
        ValueKind::Number if value.is_integer() => {
            let digits = value.to_string();
            json::parse(digits.as_bytes(), &JsonLimits::default()).map_err(|e| e.to_string())
        }
        ValueKind::Number => {
            let float = f64::try_from(value.clone()).ok().and_then(Number::from_f64);
            float.map(Json::Number).ok_or_else(|| format!("`{value}` is not a JSON number"))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| error.to_string())?;
            let items = items.map(|item| from_value(&item)).collect::<Result<_, _>>()?;
            Ok(Json::Array(Arc::new(items)))
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|error| error.to_string())?;
            let members = keys.map(|key| {
                let text = key.as_str().ok_or_else(|| format!("key `{key}` is not a string"))?;
                let member = value.get_item(&key).map_err(|error| error.to_string())?;
                Ok((Arc::from(text), from_value(&member)?))
            });
            Ok(Json::Object(members.collect::<Result<_, String>>()?))
        }
        ValueKind::Undefined => Err("it names something that is not there".to_owned()),
        other => Err(format!("a value of type {other} is not JSON")),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
