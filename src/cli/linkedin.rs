//! `outlast linkedin`, `outlast choices`: what is asked of a provider beside delivering.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::session::{Purpose, Session};
use crate::config::Config;
use crate::destination::Trouble;

/// Make, change or associate conversion rules
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast linkedin rule create --account 501 --name Purchases --type PURCHASE --attribution LAST_TOUCH_BY_CAMPAIGN
  outlast linkedin rule create --account 501 --existing 789123 --campaign 71
  outlast linkedin rule update --account 501 --rule 789123 --name Orders
  outlast linkedin rule associate --account 501 --rule 789123 --campaign 71 --campaign 72

The requests carry the token of the destination's credential.")]
pub(crate) struct Args {
    #[command(subcommand)]
    of: Of,
}

#[derive(clap::Subcommand)]
enum Of {
    /// Conversion rules: what conversions count for
    Rule {
        #[command(subcommand)]
        task: Task,
    },
}

#[derive(clap::Subcommand)]
enum Task {
    /// A new rule, or one that exists
    Create(Create),
    /// Change a rule
    Update(Update),
    /// Add campaigns to a rule; none is ever removed
    Associate(Associate),
}

/// What all of them need.
#[derive(clap::Args)]
struct Common {
    /// The ad account: its number
    #[arg(long, value_name = "NUMBER")]
    account: String,
    /// The destination whose credential is used [default: the only linkedin-conversions]
    #[arg(long, value_name = "DESTINATION")]
    to: Option<String>,
    /// Campaigns that the rule counts for
    #[arg(long = "campaign", value_name = "NUMBER")]
    campaigns: Vec<String>,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

/// What a rule is.
#[derive(clap::Args)]
struct Described {
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// What kind of conversion it counts, such as PURCHASE or LEAD
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Each campaign, `LAST_TOUCH_BY_CAMPAIGN`, or a single one, `LAST_TOUCH_BY_CONVERSION`
    #[arg(long)]
    attribution: Option<String>,
    /// For so many days after a click: 1, 7, 30 or 90
    #[arg(long, value_name = "DAYS")]
    post_click: Option<u64>,
    /// For so many days after a view: 1, 7, 30 or 90
    #[arg(long, value_name = "DAYS")]
    view_through: Option<u64>,
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    described: Described,
    /// The number of a rule that exists
    #[arg(long, value_name = "NUMBER")]
    existing: Option<String>,
}

#[derive(clap::Args)]
struct Update {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    described: Described,
    /// The rule
    #[arg(long, value_name = "NUMBER")]
    rule: String,
}

#[derive(clap::Args)]
struct Associate {
    #[command(flatten)]
    common: Common,
    /// The rule
    #[arg(long, value_name = "NUMBER")]
    rule: String,
}

/// Show what can be chosen: ad accounts, campaigns, conversion rules
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast choices adAccountId
  outlast choices campaignId --account 501
  outlast choices conversionRuleId --account 501 --to conversions --json")]
pub(crate) struct ChoicesArgs {
    /// For what: adAccountId, campaignId or conversionRuleId
    field: String,
    /// The ad account: its number
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
    /// The destination whose credential is used [default: the only linkedin-conversions]
    #[arg(long, value_name = "DESTINATION")]
    to: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let Of::Rule { task } = args.of;
    let (common, name, inputs) = match task {
        Task::Create(Create { common, described, existing }) => {
            let mut inputs = described.inputs();
            inputs.extend(existing.map(|rule| ("conversionRuleId".to_owned(), rule.into())));
            (common, "rule.create", inputs)
        }
        Task::Update(Update { common, described, rule }) => {
            let mut inputs = described.inputs();
            inputs.insert("saved".to_owned(), json!({ "id": rule }));
            (common, "rule.update", inputs)
        }
        Task::Associate(Associate { common, rule }) => {
            (common, "rule.associate", Map::from_iter([("saved".to_owned(), json!({ "id": rule }))]))
        }
    };
    let mut inputs = inputs;
    inputs.insert("adAccountId".to_owned(), urn(&common.account).into());
    if !common.campaigns.is_empty() {
        inputs.insert("campaignId".to_owned(), common.campaigns.into());
    }
    let destination = destination(config, common.to)?;
    match perform(config, &destination, name, Value::Object(inputs)).await? {
        Ok(reached) if common.json => print::json(&reached),
        Ok(reached) => tell(&reached, &destination),
        Err(trouble) => failed(&trouble, common.json),
    }
}

pub(crate) async fn choices(config: &Path, args: ChoicesArgs) -> Result<(), Failure> {
    let destination = destination(config, args.to)?;
    let inputs = args.account.map_or(json!({}), |account| json!({ "adAccountId": urn(&account) }));
    let asked = perform(config, &destination, &format!("choices.{}", args.field), inputs).await?;
    let reached = match asked {
        Ok(reached) if args.json => return print::json(&reached),
        Ok(reached) => reached,
        Err(trouble) => return failed(&trouble, args.json),
    };
    let list = reached.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for choice in list {
        print::line(&format!("{:<40} {}", text(choice.get("value")), text(choice.get("label"))))?;
    }
    if list.is_empty() { print::line("there is nothing to choose from") } else { Ok(()) }
}

/// Asks an engine, and takes no for an answer.
pub(crate) async fn perform(
    config: &Path,
    destination: &str,
    operation: &str,
    inputs: Value,
) -> Result<Result<Value, Trouble>, Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let request = Request::Perform { destination: destination.to_owned(), operation: operation.to_owned(), inputs };
    let performed = session.ask(request).await;
    session.close().await?;
    performed
}

impl Described {
    fn inputs(self) -> Map<String, Value> {
        let texts = [("name", self.name), ("conversionType", self.kind), ("attribution_type", self.attribution)];
        let windows = [
            ("post_click_attribution_window_size", self.post_click),
            ("view_through_attribution_window_size", self.view_through),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?))));
        let windows = windows.into_iter().filter_map(|(key, days)| Some((key.to_owned(), Value::from(days?))));
        texts.chain(windows).collect()
    }
}

fn urn(account: &str) -> String {
    if account.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("urn:li:sponsoredAccount:{account}")
    } else {
        account.to_owned()
    }
}

fn destination(config: &Path, asked: Option<String>) -> Result<String, Failure> {
    let config = Config::load(config)?;
    let fits = config.destinations.iter().filter(|(_, it)| it.kind.name == "linkedin-conversions");
    let known: Vec<&str> = fits.map(|(name, _)| name.as_str()).collect();
    match (asked, known.as_slice()) {
        (Some(name), known) if known.contains(&name.as_str()) => Ok(name),
        (None, [only]) => Ok((*only).to_owned()),
        (_, []) => Err(Failure::usage("there is no destination of the kind linkedin-conversions")
            .help("add one to the configuration; its credential is used")),
        (_, known) => Err(Failure::usage("which destination?").help(format!("choose with --to: {}", known.join(", ")))),
    }
}

fn tell(reached: &Value, destination: &str) -> Result<(), Failure> {
    if let Some(message) = reached.get("successMessage").and_then(Value::as_str) {
        print::line(message)?;
    }
    let saved = reached.get("savedData").and_then(Value::as_object);
    for (key, value) in saved.into_iter().flatten() {
        print::line(&format!("{key:<40} {}", text(Some(value))))?;
    }
    let rule = saved.and_then(|saved| saved.get("id")).map(|id| text(Some(id)));
    rule.map_or(Ok(()), |rule| {
        print::line(&format!("\nin [destination.{destination}]: conversion_rule = \"{rule}\""))?;
        print::line(&format!("for one [[route]] only: mapping.onMappingSave.outputs.id = \"{rule}\""))
    })
}

/// A value as people read it: texts without quotes, and the provider's numbers are ids, too.
fn text(value: Option<&Value>) -> String {
    value.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn failed(trouble: &Trouble, as_json: bool) -> Result<(), Failure> {
    if as_json {
        print::json(trouble)?;
        return Err(Failure::told());
    }
    let Trouble { code, message, reached } = trouble;
    let failure = Failure::new(format!("{message} ({code})"));
    Err(if reached.is_null() { failure } else { failure.help(format!("reached all the same: {reached}")) })
}
