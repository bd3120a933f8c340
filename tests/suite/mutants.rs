//! Measures the tests: switches the seeded faults of `pager/src/mutant.rs` on, one at a time, and
//! asks which test notices.
//!
//! ```text
//! cargo run --release -p cowslip-tests --features mutants --bin mutants [-- OPTION... MUTANT...]
//! ```
//!
//! Each test runs in a process of its own, so that a panic, an abort and a hang are told apart, and
//! the first that fails ends the search. All tests must pass without a mutant first; that also tells
//! how long each takes: quick ones are asked first, and among them those of the rules.

use std::{
    collections::VecDeque,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cowslip_pager::mutant::{CATALOGUE, Entry};

const USAGE: &str = "usage: mutants [--list | --markdown | --no-baseline] [MUTANT...]

  --list       only prints the catalogue
  --markdown   prints the result as a table for docs/testing.md
  --no-baseline  does not run the tests without a mutant first: they are asked by name, the rules' first
  MUTANT...    only these, also those that are held to be equivalent";

/// Tests quicker than this are asked before all others.
const QUICK: Duration = Duration::from_millis(700);

/// A test, and where to find it.
#[derive(Clone)]
struct Test {
    program: String,
    name: String,
    usual: Duration,
}

impl Test {
    /// A test that takes so long waits for something that will not happen.
    fn limit(&self) -> Duration {
        Duration::from_secs(20) + 6 * self.usual
    }

    fn order(&self) -> impl Ord + use<> {
        (self.usual > QUICK, !self.name.starts_with("rules"), self.usual)
    }
}

/// How a test ended.
enum End {
    Passed,
    Failed,
    Aborted,
    Hung,
    /// It was not let to its end, since another one has failed.
    Stopped,
}

/// The test that noticed a mutant.
struct Catch {
    test: Test,
    how: &'static str,
    after: Duration,
}

fn main() -> ExitCode {
    let (options, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let unknown = |name: &&String| CATALOGUE.iter().all(|entry| entry.mutant.name() != **name);
    if let Some(name) = names.iter().find(unknown) {
        eprintln!("no mutant has the name {name}\n{USAGE}");
        return ExitCode::from(2);
    }
    match options.first().map(String::as_str) {
        None | Some("--markdown" | "--no-baseline") => {}
        Some("--list") => {
            for entry in CATALOGUE {
                println!("{:40} {:12} {}", entry.mutant.name(), entry.attacks, entry.what);
            }
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    match run(&names, options.first().map(String::as_str)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

fn run(names: &[String], option: Option<&str>) -> Result<bool, String> {
    let mut tests = build()?;
    if option != Some("--no-baseline") {
        tests = baseline(tests)?;
    }
    tests.sort_by_key(Test::order);
    let chosen = |entry: &&Entry| {
        if names.is_empty() {
            entry.equivalent.is_empty()
        } else {
            names.contains(&entry.mutant.name())
        }
    };
    let mut rows = Vec::new();
    for entry in CATALOGUE.iter().filter(chosen) {
        let caught = first_to_fail(&tests, &entry.mutant.name());
        let (seconds, by) = match &caught {
            Some(catch) => (catch.after.as_secs_f64(), format!("{}{}", catch.test.name, catch.how)),
            None => (0.0, "NOBODY".into()),
        };
        eprintln!("{:40} {:12} {seconds:6.1} s  {by}", entry.mutant.name(), entry.attacks);
        rows.push((entry, caught));
    }
    if option == Some("--markdown") {
        print_markdown(&rows);
    }
    let caught = rows.iter().filter(|(_, caught)| caught.is_some()).count();
    eprintln!("{} mutants, {caught} caught", rows.len());
    let slowest = rows
        .iter()
        .filter_map(|(entry, caught)| Some((entry, caught.as_ref()?)))
        .max_by_key(|(_, catch)| catch.after);
    if let Some((entry, catch)) = slowest {
        let (name, seconds) = (entry.mutant.name(), catch.after.as_secs_f64());
        eprintln!("slowest: {name}, {seconds:.1} s by {}", catch.test.name);
    }
    let missed =
        |(entry, caught): &(&Entry, Option<Catch>)| caught.is_none() && entry.equivalent.is_empty();
    Ok(!rows.iter().any(missed))
}

fn print_markdown(rows: &[(&Entry, Option<Catch>)]) {
    println!("| attacks | mutant | what it does | caught by | seconds |");
    println!("|---|---|---|---|---:|");
    for (entry, caught) in rows {
        let (by, seconds) = match caught {
            Some(catch) => (
                format!("`{}`{}", short(&catch.test.name), catch.how),
                format!("{:.1}", catch.after.as_secs_f64()),
            ),
            None => ("**nobody**".into(), String::new()),
        };
        let (name, attacks, what) = (entry.mutant.name(), entry.attacks, entry.what);
        println!("| {attacks} | `{name}` | {what} | {by} | {seconds} |");
    }
}

/// The rules' tests have names that say enough.
fn short(test: &str) -> &str {
    let rule = test.strip_prefix("rules::").and_then(|name| name.split_once("::"));
    rule.map_or(test, |(_, name)| name)
}

// ---- the tests ---------------------------------------------------------------------------

/// Builds the tests with the mutants in them, and asks each program which tests it has.
fn build() -> Result<Vec<Test>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--no-run", "--message-format=json", "--lib", "--tests"]);
    command.args(["-p", "cowslip-tests", "-p", "cowslip-pager"]);
    command.args(["--features", "cowslip-tests/mutants"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let failed = |e: &dyn std::fmt::Display| format!("the tests could not be built: {e}");
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(str::to_owned)
    });
    let mut tests = Vec::new();
    for program in messages {
        let listed = Command::new(&program).args(["--list", "--format", "terse"]).output();
        let listed = listed.map_err(|e| format!("{program}: {e}"))?;
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            if let Some(name) = line.strip_suffix(": test") {
                let (program, name) = (program.clone(), name.to_owned());
                tests.push(Test { program, name, usual: Duration::from_secs(20) });
            }
        }
    }
    Ok(tests)
}

/// Every test passes while no mutant is on; measures how long each takes.
fn baseline(tests: Vec<Test>) -> Result<Vec<Test>, String> {
    let begin = Instant::now();
    let failed = Mutex::new(None);
    let measured = Mutex::new(Vec::new());
    each(tests, |test, stop| {
        let begin = Instant::now();
        match run_test(&test, None, stop) {
            End::Passed => {
                measured.lock().unwrap().push(Test { usual: begin.elapsed(), ..test });
            }
            End::Stopped => {}
            _ => {
                failed.lock().unwrap().get_or_insert(test.name);
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    match failed.into_inner().unwrap() {
        Some(name) => Err(format!("without a mutant, {name} fails")),
        None => {
            let tests = measured.into_inner().unwrap();
            let seconds = begin.elapsed().as_secs_f64();
            eprintln!("{} tests pass without a mutant, in {seconds:.0} s", tests.len());
            Ok(tests)
        }
    }
}

fn first_to_fail(tests: &[Test], mutant: &str) -> Option<Catch> {
    let begin = Instant::now();
    let first = Mutex::new(None);
    each(tests.to_vec(), |test, stop| {
        let how = match run_test(&test, Some(mutant), stop) {
            End::Passed | End::Stopped => return,
            End::Failed => "",
            End::Aborted => " (abort)",
            End::Hung => " (hang)",
        };
        first.lock().unwrap().get_or_insert(Catch { test, how, after: begin.elapsed() });
        stop.store(true, Ordering::Relaxed);
    });
    first.into_inner().unwrap()
}

/// Works tests off in as many threads as there are processors, until one of them says stop.
fn each(tests: Vec<Test>, work: impl Fn(Test, &AtomicBool) + Sync) {
    let queue = Mutex::new(VecDeque::from(tests));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let next = queue.lock().unwrap().pop_front();
                    let Some(test) = next else { return };
                    work(test, &stop);
                }
            });
        }
    });
}

fn run_test(test: &Test, mutant: Option<&str>, stop: &AtomicBool) -> End {
    // A folder of its own for what it leaves behind.
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(&test.program);
    command.args([&test.name, "--exact"]).env("TMPDIR", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if std::env::var_os("COWSLIP_SEED").is_none() {
        command.env("COWSLIP_SEED", "1");
    }
    match mutant {
        Some(mutant) => command.env("COWSLIP_MUTANT", mutant),
        None => command.env_remove("COWSLIP_MUTANT"),
    };
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let begin = Instant::now();
    let mut child = command.spawn().expect("the test can be started");
    loop {
        match child.try_wait().expect("the test was started") {
            Some(status) if status.success() => return End::Passed,
            // 101: a panic that the test harness has caught.
            Some(status) if status.code() == Some(101) => return End::Failed,
            Some(_) => return End::Aborted,
            None => {}
        }
        let hung = begin.elapsed() > test.limit();
        if hung || stop.load(Ordering::Relaxed) {
            end(child);
            return if hung { End::Hung } else { End::Stopped };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends a test and every process that it has started.
fn end(mut child: Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
