//! The shared context of a stream: a tree of JSON that can be kept as it was for the price of a
//! pointer, and knows how many canonical bytes it has.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Access, Change, Diff, Op, pattern};
use crate::json::{Json, Number, Object, string_size};

/// The context at one moment. Cloning is O(1), a change O(depth · log keys).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    root: Object,
    bytes: usize,
}

/// A change that does not fit what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A path without keys.
    #[error("a context change names no key")]
    NoPath,
    /// `incr` on something else than a number.
    #[error("`{0}` is not a number, so nothing can be added to it")]
    NotANumber(String),
    /// `incr` beyond what a number can hold.
    #[error("`{0}` would leave the range of numbers")]
    Overflow(String),
    /// `append` to something else than an array.
    #[error("`{0}` is not an array, so nothing can be appended to it")]
    NotAnArray(String),
}

impl Default for Context {
    fn default() -> Self {
        Self { root: Object::new(), bytes: 2 }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.to_json(), f)
    }
}

impl Context {
    /// A context that holds these keys.
    pub fn from_object(root: Object) -> Self {
        let bytes = Json::Object(root.clone()).size();
        Self { root, bytes }
    }

    /// The whole context as one value.
    pub fn to_json(&self) -> Json {
        Json::Object(self.root.clone())
    }

    /// The keys at the top.
    pub fn root(&self) -> &Object {
        &self.root
    }

    /// Its length in canonical bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is at a path of keys.
    pub fn at(&self, path: &[impl AsRef<str>]) -> Option<&Json> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.root.get(first.as_ref())?, |value, key| match value {
            Json::Object(object) => object.get(key.as_ref()),
            _ => None,
        })
    }

    /// Applies one change.
    pub fn apply(&mut self, op: &Op) -> Result<(), ChangeError> {
        if op.path.is_empty() {
            return Err(ChangeError::NoPath);
        }
        let grown = change_at(&mut self.root, op, 0)?;
        self.bytes = self.bytes.saturating_add_signed(grown);
        Ok(())
    }

    /// Applies every change, or none.
    pub fn apply_all(&mut self, diff: &Diff) -> Result<(), ChangeError> {
        // If only the first one can fail, nothing needs to be taken back. To change a clone is to
        // copy what is on the way to the change, with dozens of neighbours.
        if diff.0.iter().skip(1).all(Op::always_fits) {
            return diff.0.iter().try_for_each(|op| self.apply(op));
        }
        let mut next = self.clone();
        diff.0.iter().try_for_each(|op| next.apply(op))?;
        *self = next;
        Ok(())
    }

    /// Spells out a diff against this view (rule X2): setting an object becomes a change for each
    /// leaf, and a deletion for each key the writer saw there and left out.
    pub fn spell_out(&self, diff: &Diff) -> Result<Diff, ChangeError> {
        let mut view = self.clone();
        let mut spelled = Vec::with_capacity(diff.0.len());
        for (at, op) in diff.0.iter().enumerate() {
            let from = spelled.len();
            match &op.change {
                Change::Set(Json::Object(wanted)) if !op.path.is_empty() => {
                    spell_object(&mut spelled, &op.path, wanted, view.at(&op.path));
                }
                _ => spelled.push(op.clone()),
            }
            // What the last one does to the view nobody sees.
            if at + 1 < diff.0.len() || !op.always_fits() {
                spelled[from..].iter().try_for_each(|op| view.apply(op))?;
            }
        }
        Ok(Diff(spelled))
    }

    /// What a crew sees of it (rule X4).
    #[must_use]
    pub fn readable(&self, access: Option<&Access>) -> Self {
        match access.and_then(|access| access.read.as_deref()) {
            None => self.clone(),
            Some(globs) => Self::from_object(visible(&self.root, globs, &mut Vec::new())),
        }
    }
}

fn spell_object(out: &mut Vec<Op>, path: &[Arc<str>], wanted: &Object, seen: Option<&Json>) {
    out.push(Op { path: path.to_vec(), change: Change::Object });
    let seen = match seen {
        Some(Json::Object(seen)) => Some(seen),
        _ => None,
    };
    let below = |key: &Arc<str>| {
        let mut path = path.to_vec();
        path.push(Arc::clone(key));
        path
    };
    for key in seen.into_iter().flat_map(|seen| seen.keys()) {
        if !wanted.contains_key(key) {
            out.push(Op { path: below(key), change: Change::Delete });
        }
    }
    for (key, value) in wanted {
        match value {
            Json::Object(inner) => {
                spell_object(out, &below(key), inner, seen.and_then(|seen| seen.get(key)));
            }
            _ => out.push(Op { path: below(key), change: Change::Set(value.clone()) }),
        }
    }
}

fn visible(object: &Object, globs: &[String], path: &mut Vec<Arc<str>>) -> Object {
    let mut kept = Object::new();
    for (key, value) in object {
        path.push(Arc::clone(key));
        if globs.iter().any(|glob| pattern::grants(glob, path)) {
            kept.insert(Arc::clone(key), value.clone());
        } else if globs.iter().any(|glob| pattern::grants_below(glob, path))
            && let Json::Object(inner) = value
        {
            let inner = visible(inner, globs, path);
            if !inner.is_empty() {
                kept.insert(Arc::clone(key), Json::Object(inner));
            }
        }
        path.pop();
    }
    kept
}

/// Changes `object` at the path from `depth` on; returns by how many canonical bytes it grew.
fn change_at(object: &mut Object, op: &Op, depth: usize) -> Result<isize, ChangeError> {
    let key = &op.path[depth];
    if depth + 1 == op.path.len() {
        return change_leaf(object, op, key);
    }
    match object.get_mut(key) {
        Some(Json::Object(inner)) => change_at(inner, op, depth + 1),
        _ if op.change == Change::Delete => Ok(0),
        _ => {
            let mut inner = Object::new();
            change_at(&mut inner, op, depth + 1)?;
            Ok(put(object, key, Json::Object(inner)))
        }
    }
}

fn change_leaf(object: &mut Object, op: &Op, key: &Arc<str>) -> Result<isize, ChangeError> {
    let dotted = || op.path.join(".");
    let value = match (&op.change, object.get(key)) {
        (Change::Delete, _) => return Ok(take(object, key)),
        (Change::Object, Some(Json::Object(_))) => return Ok(0),
        (Change::Object, _) => Json::Object(Object::new()),
        (Change::Set(value), _) => value.clone(),
        (Change::Incr(by), None) => Json::Number(by.clone()),
        (Change::Incr(by), Some(Json::Number(number))) => {
            Json::Number(add(number, by).ok_or_else(|| ChangeError::Overflow(dotted()))?)
        }
        (Change::Incr(_), Some(_)) => return Err(ChangeError::NotANumber(dotted())),
        (Change::Append(value), None) => Json::Array(Arc::new(vec![value.clone()])),
        (Change::Append(value), Some(Json::Array(_))) => {
            return Ok(append(object, key, value));
        }
        (Change::Append(_), Some(_)) => return Err(ChangeError::NotAnArray(dotted())),
    };
    Ok(put(object, key, value))
}

fn add(number: &Number, by: &Number) -> Option<Number> {
    number.checked_add(by)
}

/// Appends in place: an array nobody else holds is not copied.
fn append(object: &mut Object, key: &Arc<str>, value: &Json) -> isize {
    let Some(Json::Array(array)) = object.get_mut(key) else {
        return 0;
    };
    let array = Arc::make_mut(array);
    let comma = usize::from(!array.is_empty());
    array.push(value.clone());
    signed(value.size() + comma)
}

fn put(object: &mut Object, key: &Arc<str>, value: Json) -> isize {
    let after = signed(value.size());
    match object.insert(Arc::clone(key), value) {
        Some(old) => after - signed(old.size()),
        None => after + member_overhead(key, object.len()),
    }
}

fn take(object: &mut Object, key: &Arc<str>) -> isize {
    match object.remove(key) {
        Some(old) => -(signed(old.size()) + member_overhead(key, object.len() + 1)),
        None => 0,
    }
}

/// Bytes of `"key":` and of its comma, for a member of an object with `members` members.
fn member_overhead(key: &str, members: usize) -> isize {
    signed(string_size(key) + 1 + usize::from(members > 1))
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}
