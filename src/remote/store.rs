//! What every kind of store can do. All else is made of it.

use super::path::ObjectPath;
use super::{Content, Object, Result, Tag};

/// A store of one kind.
pub(super) trait Store: Send {
    /// Begins to read an object.
    fn get<'s>(&'s self, path: ObjectPath<'_>, get: &Get<'_>) -> Result<Answer<'s>>;

    /// Writes an object if `condition` holds, and returns its new tag if the store tells it.
    ///
    /// Otherwise the error is `Conflict`.
    fn put(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Option<Tag>>;

    /// The size of an object; `None` if it is not there or the store does not tell.
    fn size(&self, path: ObjectPath<'_>) -> Result<Option<u64>>;

    /// The objects whose paths begin with the folder `prefix`, in no order; all of them where that is `None`.
    fn list(&self, prefix: Option<ObjectPath<'_>>) -> Result<Vec<Object>>;

    /// Removes an object. Nothing there is no error.
    fn remove(&self, path: ObjectPath<'_>) -> Result<()>;
}

/// How an object is read.
#[derive(Clone, Copy)]
pub(super) struct Get<'a> {
    /// No object that is larger is wanted.
    pub(super) most: u64,
    /// Only if it is not this one.
    pub(super) unless: Option<&'a Tag>,
    /// From this byte on.
    pub(super) start: u64,
    /// Only if it still is this one.
    pub(super) only: Option<&'a Tag>,
    /// The tag is wanted.
    pub(super) is_tagged: bool,
}

/// What a store answers to [`Get`].
pub(super) enum Answer<'s> {
    /// It is the one that was not wanted.
    Same,
    /// It is another one now, or does not go as far as [`Get::start`]: it has to be read from its beginning.
    Changed,
    /// Here it is.
    Body(Body<'s>),
}

/// An object on its way.
pub(super) struct Body<'s> {
    /// Where it begins: at [`Get::start`], or at 0 where the store does not know better.
    pub(super) start: u64,
    /// The size of the whole object, if it is known.
    pub(super) size: Option<u64>,
    /// Its tag, if there is one.
    pub(super) tag: Option<Tag>,
    /// Its bytes from `start` on.
    pub(super) chunks: Box<dyn Chunks + 's>,
}

/// Bytes as they come.
pub(super) trait Chunks {
    /// The next ones; `None` at the end.
    fn next(&mut self) -> Result<Option<&[u8]>>;
}

/// When an object is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition<'a> {
    /// If there is none.
    Absent,
    /// If it is this one.
    Is(&'a Tag),
}
