//! Where pipelines run: private folders outside the deployment root, gone when the run ends.

use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;

use super::make::file_name;
use super::{Provenance, Wanted, spec_of, variables};
use crate::disk::{Dir, WorkFolder};
use crate::project::Project;
use crate::rollout::{Events, Result, RolloutError};
use crate::source::folder::{Folder, FolderError};
use crate::source::git::{ListOptions, Snapshot, Submodules};
use crate::source::{Contents, HashKind, Mode, Node};
use crate::stage::{self, Content};
use crate::transform;

/// The private folders of one run.
pub(super) struct Workshop<'a> {
    project: &'a Project,
    snapshot: Option<&'a Snapshot<'a>>,
    kind: HashKind,
    folder: Option<WorkFolder>,
    checkout: Option<PathBuf>,
    items: usize,
}

impl<'a> Workshop<'a> {
    pub(super) fn new(project: &'a Project, snapshot: Option<&'a Snapshot<'a>>, kind: HashKind) -> Self {
        Self { project, snapshot, kind, folder: None, checkout: None, items: 0 }
    }

    /// Runs the pipeline of `wanted` on a copy of `content`, whose bytes are in `contents` or else in the
    /// repository, and returns what it made.
    pub(super) fn run(
        &mut self,
        wanted: &Wanted,
        provenance: &Provenance,
        content: &Content,
        contents: Option<&dyn Contents>,
        events: &dyn Events,
    ) -> Result<Folder> {
        let Some(spec) = spec_of(self.project, &wanted.item) else {
            return self.listed(&wanted.item.target, Path::new("."));
        };
        let steps = self.project.manifest.pipeline_of(spec);
        self.items += 1;
        let place = self.open()?;
        let item = format!("item-{}", self.items);
        let place = place.make_private_dir(&item)?;
        let source = place.make_private_dir("source")?;
        place.make_private_dir("work")?;
        let name = file_name(wanted);
        let name = name.to_string_lossy();
        let from_git = self.snapshot.filter(|_| contents.is_none()).map(Snapshot::contents);
        let store = contents.or_else(|| from_git.as_ref().map(|contents| contents as &dyn Contents));
        let stores: Vec<&dyn Contents> = store.into_iter().collect();
        stage::copy_out(content, &stores, &source, &name, provenance.time, events)?;
        let checkout = if transform::needs_checkout(&steps) {
            self.checkout(provenance, events)?
        } else {
            place.path().to_owned()
        };
        let variables = variables(provenance, &wanted.item);
        let job = transform::Job {
            target: &wanted.item.target,
            steps: &steps,
            input: &source.join(&*name),
            checkout: &checkout,
            work: &place.join("work"),
            environment: &self.project.environment,
            variables: &variables,
        };
        let output = transform::run(&job, &|| events.is_interrupted())?;
        let made = self.listed(&wanted.item.target, &output)?;
        match made.special.first() {
            Some(path) => {
                let source = FolderError::Special(path.clone()).into();
                Err(RolloutError::Source { target: wanted.item.target.clone(), source })
            }
            None => Ok(made),
        }
    }

    fn listed(&self, target: &str, path: &Path) -> Result<Folder> {
        Folder::list(path, self.kind, &[])
            .map_err(|source| RolloutError::Source { target: target.to_owned(), source })
    }

    /// The private folder of this run: below `BUILD_DIR`, where that is set, else below the system's place for
    /// temporary files.
    fn open(&mut self) -> Result<Dir> {
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => {
                let parent = match self.project.environment.path("BUILD_DIR") {
                    Some(path) => std::path::absolute(&path).unwrap_or(path),
                    None => std::env::temp_dir(),
                };
                none.insert(WorkFolder::create_in(&parent)?)
            }
        };
        Ok(folder.dir().descend(Path::new(""))?)
    }

    /// A checkout of the revision, made when first asked for; outside git the folder itself.
    fn checkout(&mut self, provenance: &Provenance, events: &dyn Events) -> Result<PathBuf> {
        if let Some(checkout) = &self.checkout {
            return Ok(checkout.clone());
        }
        let place = self.open()?;
        let checkout = match self.snapshot {
            Some(snapshot) if !self.project.from_worktree => {
                let node = Node { mode: Mode::Directory, id: snapshot.revision().tree };
                let options =
                    ListOptions { all: true, submodules: Submodules::Skip, ..ListOptions::default() };
                let listing = snapshot.list(b"".as_bstr(), node, &options)?;
                let content = Content { mode: Mode::Directory, listing, store: 0 };
                let contents = snapshot.contents();
                stage::copy_out(&content, &[&contents], &place, "checkout", provenance.time, events)?;
                place.join("checkout")
            }
            _ => self.project.worktree().unwrap_or(Path::new("/")).to_owned(),
        };
        // Commands run beside dist.json, where its paths begin.
        let checkout = checkout.join(crate::disk::on_disk(&self.project.folder));
        self.checkout = Some(checkout.clone());
        Ok(checkout)
    }
}
