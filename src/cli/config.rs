//! Settings of `latentdb serve`: from a file, the environment and flags, each over the ones before it. Every
//! flag is a setting: `--max-requests 64` is `max-requests = 64` in the file and
//! `LATENTDB_MAX_REQUESTS=64` in the environment.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::OsStr;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::serve;

/// The flag, and the variable, that name the file.
const FLAG: &str = "--config";
const VARIABLE: &str = "LATENTDB_CONFIG";
/// The command whose settings these are.
const SERVE: &str = "serve";

/// What is done with settings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check the settings of the server, from file and environment, and print each with where it is from
    Check {
        /// File of settings, as TOML
        #[arg(long, value_name = "FILE", env = "LATENTDB_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Print a file with every setting, its meaning and its default
    Reference,
}

/// Runs `latentdb config`; `command` is the parser of the program.
pub(super) fn run(args: &Args, command: Command) -> anyhow::Result<()> {
    let serve = |command: &Command| command.find_subcommand(SERVE).cloned();
    match &args.action {
        Action::Check { config } => {
            let mut line = vec![OsString::from("latentdb"), SERVE.into()];
            if let Some(file) = config {
                line.extend([FLAG.into(), file.into()]);
            }
            let command = with_settings(command, &line)?;
            let described = serve(&command).context("there is no server")?;
            let matches = command.try_get_matches_from(&line)?;
            let (_, matches) = matches.subcommand().context("there is no server")?;
            serve::check(matches)?;
            print(&effective(&described, matches, &settings_of(&line)?))
        }
        Action::Reference => print(&reference(&serve(&command).context("there is no server")?)),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(super::output::print(text)?)
}

/// The parser of a command line, in which file and environment give the settings that it leaves out.
///
/// # Errors
/// What is wrong with the file: its syntax, a name that is no setting.
pub(super) fn with_settings(command: Command, line: &[OsString]) -> anyhow::Result<Command> {
    if line.get(1).is_none_or(|name| name != SERVE) {
        return Ok(command);
    }
    let settings = settings_of(line)?;
    let Some(serve) = command.find_subcommand(SERVE) else {
        return Ok(command);
    };
    let names: Vec<&str> = serve.get_arguments().filter_map(setting).collect();
    for name in settings.keys() {
        if !names.contains(&name.as_str()) {
            let near = names.iter().max_by(|a, b| {
                let nearness = |other| strsim::jaro_winkler(name, other);
                nearness(a).total_cmp(&nearness(b))
            });
            anyhow::bail!(
                "{name:?} is no setting; is it {:?}? `latentdb config reference` lists them all",
                near.copied().unwrap_or_default()
            );
        }
    }
    let mut given = Vec::new();
    for (name, value) in settings {
        let values = match value {
            toml::Value::Array(values) => values.iter().map(text_of).collect::<Option<Vec<_>>>(),
            value => text_of(&value).map(|value| vec![value]),
        };
        let values = values.with_context(|| {
            format!("{name}: a text, a number, true, false or a list of them is accepted")
        })?;
        given.push((name, values));
    }
    Ok(command.mut_subcommand(SERVE, |serve| {
        serve.mut_args(|arg| {
            let Some(name) = setting(&arg).map(str::to_owned) else {
                return arg;
            };
            let arg = match arg.get_env() {
                Some(_) => arg,
                None => arg.env(OsStr::from(variable(&name))),
            };
            match given.iter().find(|(own, _)| *own == name) {
                Some((_, values)) => {
                    let values = values.iter().map(|value| OsStr::from(value.clone()));
                    arg.required(false).default_values(values)
                }
                None => arg,
            }
        })
    }))
}

/// The setting that a flag is; `None` for the flags that are none.
fn setting(arg: &Arg) -> Option<&str> {
    arg.get_long()
        .filter(|name| !["config", "help"].contains(name))
}

fn variable(setting: &str) -> String {
    format!("LATENTDB_{}", setting.to_uppercase().replace('-', "_"))
}

/// The file that a command line or the environment names.
fn file_of(line: &[OsString]) -> Option<PathBuf> {
    let mut line = line.iter().skip(2);
    while let Some(argument) = line.next() {
        if argument == FLAG {
            return line.next().map(PathBuf::from);
        }
        let text = argument.to_str().and_then(|text| text.strip_prefix(FLAG));
        if let Some(file) = text.and_then(|text| text.strip_prefix('=')) {
            return Some(PathBuf::from(file));
        }
    }
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// What the file says that a command line or the environment names.
fn settings_of(line: &[OsString]) -> anyhow::Result<toml::Table> {
    let Some(file) = file_of(line) else {
        return Ok(toml::Table::new());
    };
    let read = || anyhow::Ok(std::fs::read_to_string(&file)?.parse()?);
    read().with_context(|| format!("settings in {}", file.display()))
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

/// Every setting that has a value, with where it is from; `file` is what the file says.
fn effective(serve: &Command, matches: &ArgMatches, file: &toml::Table) -> String {
    let mut text = String::new();
    for arg in serve.get_arguments() {
        let (Some(name), id) = (setting(arg), arg.get_id().as_str()) else {
            continue;
        };
        let Ok(Some(values)) = matches.try_get_raw(id) else {
            continue;
        };
        let values: Vec<String> = values
            .map(|value| value.to_string_lossy().into_owned())
            .collect();
        let from = match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => "environment",
            Some(ValueSource::CommandLine) => "flag",
            _ if file.contains_key(name) => "file",
            _ => "default",
        };
        let _ = writeln!(text, "{name} = {}  # {from}", toml_of(arg, &values));
    }
    text
}

/// Values as a file has them.
fn toml_of(arg: &Arg, values: &[String]) -> String {
    let one = |value: &String| match value.parse::<toml::Value>() {
        Ok(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Float(_))) => {
            value.to_string()
        }
        _ => toml::Value::String(value.clone()).to_string(),
    };
    match (arg.get_action(), values) {
        (ArgAction::Append, values) => {
            let values: Vec<String> = values.iter().map(one).collect();
            format!("[{}]", values.join(", "))
        }
        (_, [value]) => one(value),
        (_, values) => toml::Value::String(values.join(",")).to_string(),
    }
}

/// A file of all settings, commented out.
fn reference(serve: &Command) -> String {
    let mut text = String::from(
        "# Settings of `latentdb serve`, each with its default or an example. They are read from the file of\n\
         # `--config` or LATENTDB_CONFIG; the variable LATENTDB_NAME goes before the file, the flag --name before\n\
         # both. `latentdb config check` says what holds.\n",
    );
    for arg in serve.get_arguments() {
        let Some(name) = setting(arg) else { continue };
        text.push('\n');
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines() {
            let _ = writeln!(text, "# {line}");
        }
        let defaults = arg.get_default_values().iter();
        let defaults: Vec<String> = defaults
            .map(|own| own.to_string_lossy().into_owned())
            .collect();
        let value = match (arg.get_action(), defaults.is_empty()) {
            (ArgAction::SetTrue, _) => "false".to_owned(),
            (_, false) => toml_of(arg, &defaults),
            (action, true) => {
                let shown = arg.get_value_names().and_then(<[_]>::first);
                let shown = toml::Value::String(shown.map_or("", |name| name.as_str()).to_owned());
                match action {
                    ArgAction::Append => format!("[{shown}]"),
                    _ => shown.to_string(),
                }
            }
        };
        let _ = writeln!(text, "# {name} = {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<OsString> {
        words.split(' ').map(OsString::from).collect()
    }

    fn settings(file: &str, flags: &str) -> anyhow::Result<ArgMatches> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("latentdb.toml");
        std::fs::write(&path, file)?;
        let line = line(&format!(
            "latentdb serve --config {}{flags}",
            path.display()
        ));
        let command = with_settings(super::super::command(), &line)?;
        // What the environment of a test run says is not the file's.
        let command = command.mut_subcommand(SERVE, |serve| serve.mut_args(|arg| arg.env(None)));
        let matches = command.try_get_matches_from(line)?;
        let serve = matches.subcommand_matches(SERVE).cloned();
        serve.context("serve")
    }

    #[test]
    fn a_file_gives_what_the_flags_leave_out() {
        let file = "data = \"d\"\nmax-requests = 7\nno-page = true\nmodels = [\"a\", \"b\"]\n";
        let found = settings(file, " --max-requests 9").unwrap();
        assert_eq!(found.get_one::<u32>("max_requests"), Some(&9));
        assert_eq!(found.get_one::<PathBuf>("data"), Some(&PathBuf::from("d")));
        assert!(found.get_flag("no_page") && !found.get_flag("insecure"));
        assert_eq!(found.get_many::<PathBuf>("models").unwrap().len(), 2);
        let serve = super::super::command()
            .find_subcommand(SERVE)
            .cloned()
            .unwrap();
        let shown = effective(&serve, &found, &file.parse().unwrap());
        assert!(shown.contains("max-requests = 9  # flag\n"), "{shown}");
        assert!(shown.contains("data = \"d\"  # file\n"), "{shown}");
        assert!(shown.contains("auth = \"keys\"  # default\n"), "{shown}");
        assert!(shown.contains("models = [\"a\", \"b\"]"), "{shown}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (file, said) in [
            ("data = \"d\"\nmax-request = 7", "is it \"max-requests\"?"),
            ("data = \"d\"\nmax-requests = 0", "at least 1"),
            ("data = \"d\"\nauth = \"all\"", "auth"),
            ("data = {a = 1}", "data: a text"),
            ("data = ", "TOML"),
        ] {
            let error = settings(file, "").unwrap_err();
            assert!(format!("{error:#}").contains(said), "{file}: {error:#}");
        }
    }

    #[test]
    fn the_reference_is_a_file_that_is_accepted() {
        let serve = super::super::command()
            .find_subcommand(SERVE)
            .cloned()
            .unwrap();
        let text = reference(&serve);
        assert!(text.contains("# max-requests = 1024\n"), "{text}");
        let set: String = text
            .lines()
            .filter(|line| line.contains(" = ") && line.starts_with("# m"))
            .map(|line| format!("{}\n", line.trim_start_matches("# ")))
            .collect();
        settings(&format!("data = \"d\"\n{set}"), "").unwrap();
    }
}
