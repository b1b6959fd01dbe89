//! git's own servers: `git http-backend` and `sshd`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::publish::Market;
use crate::support::{HttpServer, Misbehaviour, Repo, Run, skipped};

/// A web server in front of `git http-backend`, as git-http-backend(1) says. Says which port it has.
const HTTP: &str = r"
import http.server, os, subprocess, sys
root, backend, wanted = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def answer(self):
        if wanted and self.headers.get('Authorization') != wanted:
            self.send_response(401)
            self.send_header('WWW-Authenticate', 'Basic realm=test')
            self.end_headers()
            return
        path, _, query = self.path.partition('?')
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        about = {'PATH_INFO': path, 'QUERY_STRING': query, 'REQUEST_METHOD': self.command,
            'CONTENT_TYPE': self.headers.get('Content-Type', ''), 'CONTENT_LENGTH': str(len(body)),
            'HTTP_CONTENT_ENCODING': self.headers.get('Content-Encoding', ''),
            'GIT_PROTOCOL': self.headers.get('Git-Protocol', ''),
            'GIT_PROJECT_ROOT': root, 'GIT_HTTP_EXPORT_ALL': '1', 'PATH': os.environ['PATH']}
        said = subprocess.run([backend], input=body, env=about, stdout=subprocess.PIPE).stdout
        head, _, body = said.partition(b'\r\n\r\n')
        lines = [line.split(': ', 1) for line in head.decode().split('\r\n')]
        self.send_response(next((int(value[:3]) for name, value in lines if name == 'Status'), 200))
        for name, value in lines:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
";

/// A server, which ends with the value.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Serves the repositories below the sandbox to whoever sends `wanted` as `Authorization`, or to everybody.
    fn http(market: &Market, wanted: &str) -> Option<Self> {
        let said = Command::new("git").arg("--exec-path").output().unwrap();
        let backend = Path::new(String::from_utf8(said.stdout).unwrap().trim()).join("git-http-backend");
        if !backend.is_file() {
            skipped("this git has no http-backend");
            return None;
        }
        let mut command = Command::new("python3");
        command.args(["-c", HTTP]).arg(market.sandbox.path()).arg(backend).arg(wanted);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().unwrap() })
    }

    /// Serves whoever has the key `publisher`, as this user, and shows the key `host`.
    fn ssh(market: &Market) -> Option<Self> {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
        let Some(sshd) = sshd.iter().find(|path| Path::new(path).is_file()) else {
            skipped("there is no sshd; `apt-get install openssh-server` lets this test run");
            return None;
        };
        market.new_key("host");
        // Somebody else may take the port that was free.
        let mut said = String::new();
        for _ in 0..5 {
            match Self::try_ssh(market, sshd) {
                Ok(server) => return Some(server),
                Err(line) => said = line,
            }
        }
        skipped(&format!("sshd does not start: {}", said.trim()));
        None
    }

    fn try_ssh(market: &Market, sshd: &str) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nUsePAM no\nStrictModes no\n\
             PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            market.text("keys/host"),
            market.text("keys/publisher.pub"),
        );
        fs::write(market.at("sshd_config"), config).unwrap();
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(market.at("sshd_config"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let server = Self { child, port };
        if !line.contains("listening") {
            return Err(line);
        }
        // Whatever else it says has to go somewhere.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(server)
    }
}

/// A project with three versions of `tool`, tagged.
fn tagged(market: &Market) -> Repo<'_> {
    let repo = market.project();
    repo.git(["tag", "v1.0"]);
    release(&repo, "two", "v1.2");
    repo
}

fn release(repo: &Repo<'_>, text: &str, tag: &str) {
    repo.executable("tool", format!("{text}\n"));
    repo.commit(text);
    repo.git(["tag", tag]);
}

#[test]
fn tags_are_followed_over_http() {
    let Some(market) = Market::new() else { return };
    let Some(server) = Server::http(&market, "") else { return };
    let repo = tagged(&market);
    let url = format!("git+http://127.0.0.1:{}/project/.git", server.port);
    market.machine(&["install", &url, "--track", "^1", "--name", "tool"]).success();
    assert_eq!(market.tool(), "two");
    release(&repo, "three", "v1.10");
    release(&repo, "four", "v2.0");
    market.update().success();
    assert_eq!(market.tool(), "three");
    market.machine(&["install", &url, "--track", "main", "--name", "branch", "--replace"]).success();
    assert_eq!(market.tool(), "four");
}

#[test]
fn a_password_over_http_is_the_hosts_and_is_never_asked_for() {
    let Some(market) = Market::new() else { return };
    // ada:s3cr3t
    let Some(server) = Server::http(&market, "Basic YWRhOnMzY3IzdA==") else { return };
    let repo = tagged(&market);
    let at = format!("127.0.0.1:{}/project/.git", server.port);
    let install = |name: &str, url: &str| market.machine(&["install", url, "--name", name]);
    let plain = format!("git+http://{at}");
    let denied = install("denied", &plain).code(1);
    assert!(!market.sandbox.root().join("bin").exists(), "{}", denied.stderr());
    // git's configuration knows the password.
    let stored = market.home_file("credentials", &format!("http://ada:s3cr3t@127.0.0.1:{}\n", server.port));
    repo.git(["config", "--global", "credential.helper", &format!("store --file={stored}")]);
    let run: Run = install("tool", &plain).success();
    assert!(!format!("{}{}", run.stdout(), run.stderr()).contains("s3cr3t"));
    release(&repo, "three", "v3");
    market.update().success();
    assert_eq!(market.tool(), "three");
    // One that is not right any more is no reason to go on with what is there.
    fs::write(&stored, "").unwrap();
    market.update().code(1);
    let (kind, detail) = market.events().last().unwrap().clone();
    assert!(kind != "unreachable" && !detail.contains("s3cr3t"), "{kind}: {detail}");
}

#[test]
fn a_server_that_hangs_keeps_nobody_waiting() {
    let Some(market) = Market::new() else { return };
    let repo = tagged(&market);
    let web = HttpServer::start();
    let (path, hangs) = (repo.path().display().to_string(), format!("git+{}/x.git", web.url()));
    market
        .machine(&["install", &format!("git+file://{path}"), "--mirror", &hangs, "--name", "tool"])
        .success();
    web.misbehave("/", Misbehaviour::Hang);
    fs::rename(repo.path(), market.at("gone")).unwrap();
    market.machine(&["update", "--now", "--probe", "1s", "--timeout", "3s"]).code(1);
    assert_eq!(market.tool(), "two");
}

#[test]
fn tags_are_followed_over_ssh_and_a_host_that_nobody_knows_is_refused() {
    let Some(market) = Market::new() else { return };
    let Some(server) = Server::ssh(&market) else { return };
    let repo = tagged(&market);
    let known = market.text("known_hosts");
    let ssh = format!(
        "ssh -F none -p {} -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none",
        server.port,
        market.text("keys/publisher"),
    );
    let machine = |arguments: &[&str]| {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        market.sandbox.run(command.env("GIT_SSH_COMMAND", &ssh).args(arguments))
    };
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let url = format!("ssh://{}@127.0.0.1{}/.git", user.trim(), repo.path().display());
    let install = ["install", &url, "--track", "v*", "--name", "tool"];
    machine(&install).code(1).says("Host key verification failed");
    fs::write(&known, format!("[127.0.0.1]:{} {}\n", server.port, market.public("host"))).unwrap();
    machine(&install).success();
    assert_eq!(market.tool(), "two");
    release(&repo, "three", "v1.10");
    machine(&["update", "--now"]).success();
    assert_eq!(market.tool(), "three");
    // Another host in its place.
    market.new_key("other");
    fs::write(&known, format!("[127.0.0.1]:{} {}\n", server.port, market.public("other"))).unwrap();
    machine(&["update", "--now"]).code(1);
    assert_eq!(market.tool(), "three");
}
