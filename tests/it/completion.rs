//! Completion of the command line.

use crate::support::Sandbox;

#[test]
fn bash_completes_the_subcommand_of_git() {
    let sandbox = Sandbox::new();
    let script = sandbox.run(sandbox.dist_command(sandbox.path()).args(["completions", "bash"])).success();
    let file = sandbox.path().join("completion.bash");
    std::fs::write(&file, script.raw_stdout()).unwrap();
    let ask = |words: &str, at: usize| {
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={at}; _git_dist; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        sandbox.run(sandbox.command("bash", sandbox.path()).args(["-c", &line])).success().stdout().to_owned()
    };
    assert_eq!(ask("git dist rollb", 2), "rollback\n");
    assert!(ask("git -C x dist verify --re", 5).contains("--repair"));
    assert!(ask("git-dist dist hook inst", 3).contains("install"));
}
