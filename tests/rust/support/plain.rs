//! The context as the plainest tree there is: every rule of chapter 8 by the letter.

use live_crew::engine::Access;
use serde_json::{Map, Value, json};

use super::behaviour::{Edit, What};

type Path = Vec<String>;

/// A change that does not fit what is there.
#[derive(Debug)]
pub struct Misfit;

pub fn at<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, key| value.as_object()?.get(key))
}

/// Every edit, or none.
pub fn apply_all(tree: &Value, edits: &[Edit]) -> Result<Value, Misfit> {
    let mut next = tree.clone();
    for edit in edits {
        apply(&mut next, &edit.path, &edit.what)?;
    }
    Ok(next)
}

fn apply(tree: &mut Value, path: &[String], what: &What) -> Result<(), Misfit> {
    if !tree.is_object() {
        if *what == What::Delete {
            return Ok(());
        }
        *tree = json!({});
    }
    let object = tree.as_object_mut().unwrap();
    let (key, rest) = path.split_first().unwrap();
    if !rest.is_empty() {
        if *what == What::Delete && !object.contains_key(key) {
            return Ok(());
        }
        return apply(object.entry(key).or_insert(json!({})), rest, what);
    }
    let old = object.get(key).cloned();
    let new = match (what, old) {
        (What::Delete, _) => {
            object.remove(key);
            return Ok(());
        }
        (What::Set(value), _) => value.clone(),
        (What::Object, Some(old @ Value::Object(_))) => old,
        (What::Object, _) => json!({}),
        (What::Incr(by), None) => json!(by),
        (What::Incr(by), Some(Value::Number(old))) => json!(old.as_i64().unwrap() + by),
        (What::Append(value), None) => json!([value]),
        (What::Append(value), Some(Value::Array(mut old))) => {
            old.push(value.clone());
            Value::Array(old)
        }
        (What::Incr(_) | What::Append(_), Some(_)) => return Err(Misfit),
    };
    object.insert(key.clone(), new);
    Ok(())
}

/// Rule X2: setting an object replaces what the writer saw there, leaf by leaf, and leaves alone
/// what it did not see.
pub fn spell_out(view: &Value, edits: &[Edit]) -> Result<Vec<Edit>, Misfit> {
    let mut view = view.clone();
    let mut spelled = Vec::new();
    for edit in edits {
        let mut here = Vec::new();
        match &edit.what {
            What::Set(Value::Object(wanted)) => {
                spell_object(&mut here, &edit.path, wanted, at(&view, &edit.path));
            }
            _ => here.push(edit.clone()),
        }
        view = apply_all(&view, &here)?;
        spelled.extend(here);
    }
    Ok(spelled)
}

fn spell_object(
    out: &mut Vec<Edit>,
    path: &Path,
    wanted: &Map<String, Value>,
    seen: Option<&Value>,
) {
    let below = |key: &String| [path.clone(), vec![key.clone()]].concat();
    out.push(Edit { path: path.clone(), what: What::Object });
    let seen = seen.and_then(Value::as_object);
    for key in seen.into_iter().flat_map(Map::keys).filter(|key| !wanted.contains_key(*key)) {
        out.push(Edit { path: below(key), what: What::Delete });
    }
    for (key, value) in wanted {
        match value.as_object() {
            Some(inner) => {
                let seen = seen.and_then(|seen| seen.get(key));
                spell_object(out, &below(key), inner, seen);
            }
            None => out.push(Edit { path: below(key), what: What::Set(value.clone()) }),
        }
    }
}

/// Paths that can be in conflict: adding and appending never are.
pub fn claims(edits: &[Edit]) -> impl Iterator<Item = &Path> {
    let claims = |edit: &&Edit| matches!(edit.what, What::Set(_) | What::Delete);
    edits.iter().filter(claims).map(|edit| &edit.path)
}

/// Whether one of two paths is the other or lies below it.
pub fn touch(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(a, b)| a == b)
}

/// Rule X4: what a crew sees.
pub fn readable(tree: &Value, access: Option<&Access>) -> Value {
    let Some(globs) = access.and_then(|access| access.read.as_ref()) else {
        return tree.clone();
    };
    let mut kept = json!({});
    keep(&mut kept, tree, globs, &mut Vec::new());
    kept
}

fn keep(kept: &mut Value, tree: &Value, globs: &[String], path: &mut Path) {
    for (key, value) in tree.as_object().unwrap() {
        path.push(key.clone());
        if grants(globs, path) {
            apply(kept, path, &What::Set(value.clone())).unwrap();
        } else if value.is_object() {
            keep(kept, value, globs, path);
        }
        path.pop();
    }
}

/// Rule X4: whether a glob grants a path; `*` stands for one whole key here.
pub fn grants(globs: &[String], path: &[String]) -> bool {
    globs.iter().any(|glob| {
        let parts: Vec<&str> = glob.split('.').collect();
        parts.len() <= path.len()
            && parts.iter().zip(path).all(|(part, key)| *part == "*" || part == key)
    })
}
