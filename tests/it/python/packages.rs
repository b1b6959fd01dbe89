//! Packages that tests make, and where they put them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::HttpServer;

/// Writes an archive: `{"file": .., "entries": {name: text}}`. A wheel gets the list of its files.
const WRITE: &str = r"
import base64, hashlib, io, json, sys, tarfile, zipfile
it = json.load(sys.stdin)
entries = {name: text.encode() for name, text in it['entries'].items()}
if it['file'].endswith('.whl'):
    record = next(name for name in entries if name.endswith('METADATA')).replace('METADATA', 'RECORD')
    lines = ''
    for name, text in entries.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b'=').decode()
        lines += '%s,sha256=%s,%d\n' % (name, digest, len(text))
    entries[record] = (lines + record + ',,\n').encode()
if it['file'].endswith('.tar.gz'):
    with tarfile.open(it['file'], 'w:gz') as archive:
        for name, text in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
else:
    with zipfile.ZipFile(it['file'], 'w') as archive:
        for name, text in entries.items():
            archive.writestr(zipfile.ZipInfo(name), text)
";

/// A wheel that is being made.
pub(crate) struct Wheel {
    name: &'static str,
    version: &'static str,
    needs: Vec<&'static str>,
    entries: Vec<(String, String)>,
}

/// One with a module that prints its version, and a program that does.
pub(crate) fn wheel(name: &'static str, version: &'static str) -> Wheel {
    let module = format!("def main():\n    print('{name} {version}')\n");
    let program = format!("[console_scripts]\n{name} = {name}:main\n");
    Wheel { name, version, needs: Vec::new(), entries: Vec::new() }
        .with(&format!("{name}/__init__.py"), &module)
        .with(&format!("{name}-{version}.dist-info/entry_points.txt"), &program)
}

impl Wheel {
    pub(crate) fn needs(mut self, requirement: &'static str) -> Self {
        self.needs.push(requirement);
        self
    }

    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.entries.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Writes it to `folder`.
    pub(crate) fn write(self, folder: &Path) -> PathBuf {
        let Self { name, version, needs, entries } = self;
        let needs: String = needs.iter().flat_map(|need| ["Requires-Dist: ", need, "\n"]).collect();
        let info = format!("{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}");
        let about = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let mut all: serde_json::Map<String, Value> =
            entries.into_iter().map(|(path, text)| (path, Value::from(text))).collect();
        all.insert(format!("{info}/METADATA"), Value::from(metadata));
        all.insert(format!("{info}/WHEEL"), Value::from(about));
        archive(&folder.join(format!("{name}-{version}-py3-none-any.whl")), &Value::Object(all))
    }
}

/// An egg with a module that prints its version.
pub(crate) fn egg(folder: &Path, name: &str, version: &str, python: &str) -> PathBuf {
    let module = format!("def main():\n    print('{name} {version}')\n");
    let info = format!("Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n");
    let entries = json!({ format!("{name}/__init__.py"): module, "EGG-INFO/PKG-INFO": info });
    archive(&folder.join(format!("{name}-{version}-py{python}.egg")), &entries)
}

/// A source archive that brings what builds it, which writes the file `trace` when it runs.
pub(crate) fn source(folder: &Path, name: &str, version: &str, trace: &Path) -> PathBuf {
    let (top, trace) = (format!("{name}-{version}"), trace.display());
    let backend = format!(
        "import zipfile\nopen('{trace}', 'w').write('ran')\n\
         def build_wheel(folder, config_settings=None, metadata_directory=None):\n    \
         file = '{top}-py3-none-any.whl'\n    info = '{top}.dist-info/'\n    \
         with zipfile.ZipFile(folder + '/' + file, 'w') as archive:\n        \
         archive.writestr('{name}.py', 'built = True\\n')\n        \
         archive.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')\n        \
         archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n        \
         archive.writestr(info + 'RECORD', '')\n    \
         return file\n"
    );
    let project = format!(
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
         [project]\nname = \"{name}\"\nversion = \"{version}\"\n"
    );
    let info = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let entries = json!({
        format!("{top}/pyproject.toml"): project,
        format!("{top}/backend.py"): backend,
        format!("{top}/PKG-INFO"): info,
    });
    archive(&folder.join(format!("{top}.tar.gz")), &entries)
}

fn archive(file: &Path, entries: &Value) -> PathBuf {
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", WRITE]).stdin(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(python.stdin.take().unwrap(), &json!({ "file": file, "entries": entries }))
        .unwrap();
    assert!(python.wait().unwrap().success());
    file.to_owned()
}

/// Offers the files of `folder` at `/simple/`, with a page of links for each package.
pub(crate) fn offer(server: &HttpServer, folder: &Path) {
    let mut pages: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let digest = super::sha256(&bytes);
        let page = pages.entry(file.split('-').next().unwrap().to_owned()).or_default();
        writeln!(page, "<a href=\"/files/{file}#sha256={digest}\">{file}</a>").unwrap();
        server.put(&format!("/files/{file}"), &bytes);
    }
    for (name, page) in pages {
        server.put(
            &format!("/simple/{name}/"),
            format!("<!DOCTYPE html><html><body>{page}</body></html>").as_bytes(),
        );
    }
}
