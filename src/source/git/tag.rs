//! The annotated tag that a revision names.

use gix::ObjectId;
use gix::objs::{Kind, TagRef};

use super::{GitError, Repository, Result, Revision};

/// An annotated tag that was asked for by name or id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedTag {
    /// The tag object's id.
    pub id: ObjectId,
    /// The full name of the reference that led to it; `None` if it was asked for by its id.
    pub reference: Option<String>,
}

/// An annotated tag.
#[derive(Clone, Debug)]
pub struct TagObject {
    /// The name that stands in it.
    pub name: String,
    /// Its bytes, which are those that its id names.
    pub data: Vec<u8>,
}

impl Repository {
    /// The annotated tag that `revision` was asked for by, if it was one. It leads to the revision's commit, and each
    /// object on the way holds what its id names.
    ///
    /// # Errors
    /// When a tag on the way is missing, broken, or leads elsewhere.
    pub fn tag_of(&self, revision: &Revision) -> Result<Option<TagObject>> {
        let Some(asked) = &revision.tag else { return Ok(None) };
        let mut outermost = None;
        let mut id = asked.id;
        loop {
            let what = format!("tag {id}");
            let corrupt = |source| GitError::CorruptObject { what: what.clone(), id, source };
            let data = self.object_data(id, &what)?;
            let tag = TagRef::from_bytes(&data, self.hash_kind()).map_err(|source| corrupt(Some(source)))?;
            let (target, kind, name) = (tag.target(), tag.target_kind, tag.name.to_string());
            let outermost = outermost.get_or_insert(TagObject { name, data });
            match kind {
                Kind::Tag => id = target,
                Kind::Commit if target == revision.commit => return Ok(Some(outermost.clone())),
                _ => return Err(corrupt(None)),
            }
        }
    }
}
