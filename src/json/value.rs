//! stand-in
use std::sync::Arc;
use super::Number;
pub type Object = imbl::OrdMap<Arc<str>, Json>;
#[derive(Clone, PartialEq, Eq)]
pub enum Json { Null, Bool(bool), Number(Number), String(Arc<str>), Array(Arc<Vec<Json>>), Object(Object) }
pub fn write_string(text: &str, out: &mut Vec<u8>) { out.extend_from_slice(serde_json::to_string(text).unwrap().as_bytes()); }
pub fn string_size(text: &str) -> usize { serde_json::to_string(text).unwrap().len() }
impl Json {
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Number(n) => out.extend_from_slice(n.text().as_bytes()),
            Self::String(s) => write_string(s, out),
            Self::Array(a) => { out.push(b'['); for (i, v) in a.iter().enumerate() { if i > 0 { out.push(b','); } v.write(out); } out.push(b']'); }
            Self::Object(o) => { out.push(b'{'); for (i, (k, v)) in o.iter().enumerate() { if i > 0 { out.push(b','); } write_string(k, out); out.push(b':'); v.write(out); } out.push(b'}'); }
        }
    }
    pub fn to_canonical(&self) -> bytes::Bytes { let mut v = Vec::new(); self.write(&mut v); v.into() }
    pub fn size(&self) -> usize { self.to_canonical().len() }
}
impl std::fmt::Debug for Json { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&String::from_utf8_lossy(&self.to_canonical())) } }
impl serde::Serialize for Json { fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&format!("{self:?}")) } }
impl<'de> serde::Deserialize<'de> for Json { fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> { let _ = String::deserialize(d)?; Ok(Self::Null) } }
impl serde::Serialize for Number { fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&self.text()) } }
impl<'de> serde::Deserialize<'de> for Number { fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> { let _ = String::deserialize(d)?; Ok(Self::Int(0)) } }
