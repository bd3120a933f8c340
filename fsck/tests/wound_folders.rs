//! `tests/images/wounds` holds a folder for each wound: what is said about it, what a repair does, and what is said
//! afterwards is what stands there. `COWSLIP_BLESS=1` writes the folders anew.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{
    Refusal, RepairOptions, Repaired,
    problem::{CATALOGUE, Entry},
};
use support::{
    by_field::{Change, Ground, changes, grounds},
    unnoticed::{Why, why},
    *,
};

/// Codes that no image shows, and why.
const WITHOUT: [(&str, &str); 2] = [
    ("F0802", "the engine would have to break off: a fault of the program, not of a file"),
    ("F0803", "the engine would have to leave an unsound state: a fault of the program"),
];

struct Wound {
    code: &'static str,
    folder: String,
    image: Vec<u8>,
    /// How to make it of a stored store; none: the folder has the image itself.
    script: Option<String>,
}

/// A wound for each number of the catalogue.
fn of_codes() -> Vec<Wound> {
    let wound = |entry: &Entry| {
        let image = by_code::image(entry.code)?;
        let name: String = format!("{:?}", entry.kind)
            .chars()
            .flat_map(|c| {
                c.is_uppercase().then_some('-').into_iter().chain([c.to_ascii_lowercase()])
            })
            .collect();
        Some(Wound {
            code: entry.code,
            folder: format!("{}{name}", entry.code),
            image,
            script: None,
        })
    };
    CATALOGUE.iter().filter_map(wound).collect()
}

/// What became of the changes of a field.
struct Row {
    structure: &'static str,
    name: &'static str,
    places: usize,
    codes: BTreeSet<&'static str>,
    refused: bool,
    unnoticed: bool,
    folder: Option<String>,
}

/// A wound for each field that a check notices, and what it says of all their changes.
fn of_fields() -> (Vec<Wound>, Vec<Row>) {
    let (mut wounds, mut rows) = (Vec::new(), Vec::new());
    for ground in grounds() {
        for (&(structure, name), places) in &ground.fields {
            let (codes, places_n) = (BTreeSet::new(), places.len());
            let (refused, unnoticed, folder) = (false, false, None);
            let mut row =
                Row { structure, name, places: places_n, codes, refused, unnoticed, folder };
            for change in changes(&ground.whole, places) {
                let image = change.image(&ground.whole);
                let Ok(report) = try_check(&image) else {
                    row.refused = true;
                    continue;
                };
                row.unnoticed |= report.is_clean();
                row.codes.extend(report.counts.keys().map(|kind| kind.code()));
                if row.folder.is_none()
                    && let Some(kind) = report.counts.keys().next()
                {
                    let words = format!("{structure} {name}").to_lowercase();
                    let words = words.replace(|c: char| !c.is_alphanumeric(), " ");
                    let words: Vec<&str> = words.split_whitespace().collect();
                    let folder = format!("{}-field-{}", kind.code(), words.join("-"));
                    let script = Some(script(&ground, &change, &image));
                    row.folder = Some(folder.clone());
                    wounds.push(Wound { code: kind.code(), folder, image, script });
                }
            }
            rows.push(row);
        }
    }
    (wounds, rows)
}

/// A shell script that makes the image: what differs, byte by byte.
fn script(ground: &Ground, change: &Change, image: &[u8]) -> String {
    let Change { field, new } = change;
    let old = &ground.whole.wreck.bytes;
    let hex = |bytes: &[u8]| {
        let mut text: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        if bytes.len() > 8 {
            text.push('…');
        }
        text
    };
    let mut text = format!(
        "# {}, {}: {} instead of {} at byte {}; the checksums over it are made right.\nbase={}\n. \"$(dirname \"$0\")/../put.sh\"\n",
        field.structure,
        field.name,
        hex(new),
        hex(&old[field.at..field.at + field.size]),
        field.at,
        ground.name,
    );
    let differs: Vec<usize> = (0..old.len()).filter(|&at| old[at] != image[at]).collect();
    for run in differs.chunk_by(|a, b| a + 1 == *b) {
        let bytes: String = run.iter().map(|&at| format!("\\{:03o}", image[at])).collect();
        let _ = writeln!(text, "put {} '{bytes}'", run[0]);
    }
    text
}

/// The table of fields, as `FIELDS.md` has it.
fn table(rows: &[Row]) -> String {
    let count = |wanted: Option<Why>| {
        let found = |row: &&Row| {
            let why = why(row.structure, row.name).map(|why| why.0).filter(|_| row.unnoticed);
            why == wanted
        };
        rows.iter().filter(found).count()
    };
    let mut text = format!(
        "# Fields\n\nWritten by the tests: see [README](README.md).\n\n\
         {} fields; at up to five places of each the lowest bit flipped, zeros, and ones, under right checksums. \
         Every change of {} is noticed. Of the others a change may pass: in {} because the new value is as valid as the \
         old one, in {} because nobody reads it, in {} because the log ends there as it does in a power cut; \
         and in {} it should be noticed and is not (*gap*).\n\n\
         | structure | field | places | found as | remedy | what passes |\n|---|---|---:|---|---|---|\n",
        rows.len(),
        count(None),
        count(Some(Why::Valid)),
        count(Some(Why::Unread)),
        count(Some(Why::Torn)),
        count(Some(Why::Gap)),
    );
    for row in rows {
        let entries = CATALOGUE.iter().filter(|entry| row.codes.contains(entry.code));
        let remedy = entries.map(|entry| entry.remedy).max_by_key(|remedy| *remedy as u8);
        let mut codes: Vec<String> = row.codes.iter().map(|code| (*code).to_owned()).collect();
        if let Some(folder) = &row.folder {
            for code in &mut codes {
                if folder.starts_with(code.as_str()) {
                    *code = format!("[{code}]({folder})");
                }
            }
        }
        if row.refused {
            codes.push("refused".into());
        }
        let passes = match why(row.structure, row.name) {
            Some((why, reason)) if row.unnoticed => {
                format!("*{}*: {reason}", format!("{why:?}").to_lowercase())
            }
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {passes} |",
            row.structure,
            row.name,
            row.places,
            codes.join(" "),
            remedy.map_or(String::new(), |remedy| remedy.to_string()),
        );
    }
    text
}

fn repair(bytes: &[u8], lossy: bool) -> (Repaired, Vec<u8>) {
    let storage = SimulatedStorage::from_image(bytes.to_vec());
    let options = RepairOptions { lossy, ..RepairOptions::default() };
    let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
    (repaired, storage.image())
}

/// The texts of a folder, as the program prints them; and what the lossy repair, or the plain one if it does it all,
/// refused.
fn told(image: &[u8]) -> (BTreeMap<&'static str, String>, Option<Refusal>) {
    let first = check(image);
    let printed = |arguments: &str, text: String, status: u8| {
        format!("$ cowslip-fsck image.cow{arguments}\n{text}exit status {status}\n")
    };
    let (mut repaired, mut after) = repair(image, false);
    let mut text = printed(" --repair", repaired.to_string(), repaired.exit_code());
    if repaired.exit_code() == 4 {
        let (lossy, left) = repair(image, true);
        let _ =
            write!(text, "\n{}", printed(" --repair=lossy", lossy.to_string(), lossy.exit_code()));
        (repaired, after) = (lossy, left);
    }
    let second = check(&after);
    let texts = BTreeMap::from([
        ("first.txt", printed("", first.to_string(), first.exit_code())),
        ("repair.txt", text),
        ("second.txt", printed("", second.to_string(), second.exit_code())),
    ]);
    (texts, repaired.refusal)
}

fn write_if_new(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).unwrap();
    }
}

/// Writes all folders, and takes away what is no wound any more.
fn bless(wounds: &[Wound], table: &str) {
    for wound in wounds {
        let folder = base::folder().join(&wound.folder);
        fs::create_dir_all(&folder).unwrap();
        match &wound.script {
            Some(script) => write_if_new(&folder.join("make.sh"), script),
            None => {
                let image = folder.join("image.cow.gz");
                if base::read_gz(&image).ok().as_ref() != Some(&wound.image) {
                    base::write_gz(&image, &wound.image);
                }
            }
        }
        for (name, text) in told(&wound.image).0 {
            write_if_new(&folder.join(name), &text);
        }
    }
    let wanted: BTreeSet<_> = wounds.iter().map(|wound| wound.folder.as_str()).collect();
    for entry in fs::read_dir(base::folder()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() && !wanted.contains(name.as_str()) {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    write_if_new(&base::folder().join("FIELDS.md"), table);
}

const BLESS: &str = "COWSLIP_BLESS=1 cargo test -p cowslip-fsck --test wound_folders";

#[track_caller]
fn stands(path: &Path, text: &str) {
    let there = fs::read_to_string(path).unwrap_or_default();
    let path = path.display();
    assert!(there == text, "{path} says\n{there}\nand now it is\n{text}\nto write it: {BLESS}");
}

#[test]
fn each_wound_is_told_and_closed_as_its_folder_says() {
    let blessing = std::env::var("COWSLIP_BLESS").unwrap_or_default();
    if blessing == "base" {
        base::make_all();
    }
    let (of_fields, rows) = of_fields();
    let mut wounds = of_codes();
    wounds.extend(of_fields);
    let table = table(&rows);
    if !blessing.is_empty() {
        bless(&wounds, &table);
    }
    stands(&base::folder().join("FIELDS.md"), &table);
    let names: BTreeSet<_> = wounds.iter().map(|wound| &wound.folder).collect();
    assert_eq!(names.len(), wounds.len(), "two wounds have one name");
    for wound in &wounds {
        let folder = base::folder().join(&wound.folder);
        let name = &wound.folder;
        match &wound.script {
            Some(script) => stands(&folder.join("make.sh"), script),
            None => {
                let image = base::read_gz(&folder.join("image.cow.gz"));
                let image = image.unwrap_or_else(|error| panic!("{name}: {error}; {BLESS}"));
                assert!(image == wound.image, "{name} is another image now; to write it: {BLESS}");
            }
        }
        let first = check(&wound.image);
        assert!(first.has(wound.code), "{name}: {first}");
        let (texts, refusal) = told(&wound.image);
        for (file, text) in &texts {
            stands(&folder.join(file), text);
        }
        // Only what leaves no way to the names is beyond repair.
        let clean = texts["second.txt"].ends_with("exit status 0\n");
        assert!(clean != (refusal == Some(Refusal::Unreadable)), "{name}: {}", texts["second.txt"]);
    }
}

/// The image of a field's wound, for whoever has nothing but a shell.
#[test]
#[cfg(unix)]
fn a_script_makes_the_image() {
    if std::env::var_os("COWSLIP_BLESS").is_some() {
        // The other test is writing them.
        return;
    }
    let (wounds, _) = of_fields();
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.cow");
    for wound in wounds.iter().step_by(29) {
        let script = base::folder().join(&wound.folder).join("make.sh");
        let status = std::process::Command::new("sh").arg(script).arg(&image).status().unwrap();
        assert!(status.success());
        assert!(fs::read(&image).unwrap() == wound.image, "{}", wound.folder);
    }
}

#[test]
fn each_number_of_the_catalogue_has_a_folder() {
    let without: BTreeSet<_> = CATALOGUE
        .iter()
        .map(|entry| entry.code)
        .filter(|code| by_code::image(code).is_none())
        .collect();
    assert_eq!(without, WITHOUT.iter().map(|(code, _)| *code).collect());
}
