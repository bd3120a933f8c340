//! What `docs/cookbook.md` says is what happens: its commands are run, one block after the other in
//! one folder, and print what stands below them.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

/// A block of commands, and the block of output behind it.
struct Example {
    line: usize,
    commands: String,
    output: String,
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if !line.starts_with("```") {
            continue;
        }
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let body: String = body.iter().flat_map(|line| [*line, "\n"]).collect();
        match line {
            "```sh" => {
                let output = String::new();
                examples.push(Example { line: number + 1, commands: body, output });
            }
            "```text" => examples.last_mut().expect("output of a command").output = body,
            _ => {}
        }
    }
    examples
}

/// A comment may say that the last command ends with another status than 0.
fn status(commands: &str) -> i32 {
    let said = commands.split_once("# exit status ").and_then(|(_, rest)| rest.chars().next());
    said.map_or(0, |digit| digit.to_digit(10).expect("a digit") as i32)
}

/// Digits of moments, which differ each time, become zeros.
fn without_moments(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let pattern = b"0000-00-00T00:00:00Z";
    for start in 0..(bytes.len() + 1).saturating_sub(pattern.len()) {
        let moment = &mut bytes[start..start + pattern.len()];
        let same = moment.iter().zip(pattern).all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            _ => byte == like,
        });
        if same {
            moment.copy_from_slice(pattern);
        }
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn every_command_of_the_cookbook_prints_what_stands_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/cookbook.md")).expect("the cookbook");
    let examples = examples(&text);
    assert!(examples.len() > 20, "the blocks were found");

    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_cowslip")).parent().expect("its folder");
    let mut path = program.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").expect("a path"));
    for Example { line, commands, output } in examples {
        let ended = Command::new("sh")
            .args(["-ec", &format!("exec 2>&1\n{commands}")])
            .env("PATH", &path)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let printed = String::from_utf8(ended.stdout).expect("text");
        let wrong = |what| format!("{what} of docs/cookbook.md, line {line}:\n{commands}{printed}");
        assert_eq!(ended.status.code(), Some(status(&commands)), "{}", wrong("status"));
        assert_eq!(without_moments(&printed), without_moments(&output), "{}", wrong("output"));
    }
}
