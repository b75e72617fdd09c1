//! A flag for each router-wide setting, made from the table that annotations are read by.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, builder::ValueParser};
use fairlead_router_core::{
    Settings,
    dialect::router::{Problem, SETTINGS, SWITCH, Setting},
};

/// The settings that the flags make.
#[derive(Clone, Debug)]
pub(super) struct SettingFlags(pub(super) Settings);

/// The environment variable of a flag.
fn variable(setting: &Setting) -> String {
    format!("FAIRLEAD_ROUTER_{}", setting.flag.to_uppercase().replace('-', "_"))
}

fn arg(setting: &'static Setting) -> Arg {
    let check = move |text: &str| -> Result<String, Problem> {
        setting.set(&mut Settings::default(), text).map(|()| text.to_owned())
    };
    let (value, syntax) = match setting.syntax {
        SWITCH => ("BOOL".to_owned(), String::new()),
        syntax if syntax.contains(' ') => ("VALUE".to_owned(), format!("; {syntax}")),
        syntax => (syntax.to_uppercase(), String::new()),
    };
    let arg = Arg::new(setting.flag)
        .long(setting.flag)
        .env(variable(setting))
        .value_name(value)
        .help(format!(
            "{}{syntax} [default: {}]",
            setting.meaning.trim_end_matches('.'),
            setting.default
        ))
        .value_parser(ValueParser::new(check));
    // A switch may stand alone.
    if setting.syntax == SWITCH { arg.num_args(0..=1).default_missing_value("true") } else { arg }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self(Settings::default());
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            if let Some(text) = matches.get_one::<String>(setting.flag) {
                let set = setting.set(&mut self.0, text);
                set.map_err(|problem| {
                    clap::Error::raw(clap::error::ErrorKind::ValueValidation, problem)
                })?;
            }
        }
        Ok(())
    }
}
