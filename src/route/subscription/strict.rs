//! The strict reading: a grammar, with proper groups. Every place where the compatible reading would read something else than
//! what is written is a finding. It goes on behind each, so that one run shows them all.

mod checks;
mod terms;

use super::compatible::is_function;
use super::finding::{Code, Fault};
use super::lexer::{Kind, Reading, Token, lex};
use super::tree::{self, Connective, Node};

/// Groups within groups go so deep. The parser calls itself once for each, and so do evaluation and writing.
pub(super) const DEEPEST: usize = 64;

/// The tree, which is sound where there are no faults.
pub(super) fn parse(text: &str) -> (Node, Vec<Fault>) {
    let (tokens, faults) = lex(text, Reading::Strict);
    if faults.iter().any(|fault| fault.code.breaks_tokens()) {
        return (Node::Hole, faults);
    }
    let end = Token { kind: Kind::End, text: String::new(), span: text.len()..text.len(), escaped_dot: false };
    let mut parser = Parser { tokens: &tokens, at: 0, end: &end, faults };
    let root = parser.level(0);
    if parser.faults.is_empty() && root == Node::Hole {
        let remedy = "write a condition, such as type = \"track\"";
        parser.fault(Code::Empty, 0..text.len(), "the text holds no condition", remedy);
    }
    (root, parser.faults)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    end: &'a Token,
    faults: Vec<Fault>,
}

/// How a level goes on.
enum Step {
    Connective(Connective),
    Condition,
    End,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token {
        self.tokens.get(self.at).unwrap_or(self.end)
    }

    /// The next token, which is then behind. The end stays where it is.
    fn next(&mut self) -> &'a Token {
        let token = self.peek();
        self.at = self.at.saturating_add(1);
        token
    }

    fn next_if(&mut self, kind: Kind) -> Option<&'a Token> {
        (self.peek().kind == kind).then(|| self.next())
    }

    fn fault(
        &mut self,
        code: Code,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.faults.push(Fault::new(code, span, message, remedy));
    }

    fn at_token(&mut self, code: Code, token: &Token, message: impl Into<String>, remedy: impl Into<String>) {
        self.fault(code, token.span.clone(), message, remedy);
    }

    /// Conditions and connectives up to the end of the text or of the group. Each round takes at least one token.
    fn level(&mut self, depth: usize) -> Node {
        let mut level = Level::default();
        loop {
            let first = self.peek();
            match self.step(depth) {
                Step::End => break,
                Step::Connective(connective) => self.connective(&mut level, connective, first),
                Step::Condition => {
                    let begins = matches!(first.kind, Kind::Word | Kind::Bang | Kind::Open);
                    if level.begun && level.waiting.is_none() && begins {
                        let remedy = "write `and` or `or` before it";
                        self.at_token(Code::Connective, first, "a connective is missing and read as `and`", remedy);
                    }
                    level.waiting = None;
                    level.begun = true;
                    let condition = self.condition(depth);
                    level.children.extend(condition.map(|node| (node, first)));
                }
            }
        }
        if let Some(trailing) = level.waiting {
            let message = format!("nothing follows `{}`", trailing.text);
            self.at_token(Code::Connective, trailing, message, "remove it, or write a condition behind it");
        }
        let connective = level.connective.unwrap_or(Connective::And);
        self.check_parents(connective, &level.children);
        tree::level(connective, level.children.into_iter().map(|(node, _)| node).collect())
    }

    /// Looks at what comes next; takes connectives and what is read as nothing.
    fn step(&mut self, depth: usize) -> Step {
        loop {
            let token = self.peek();
            match token.kind {
                Kind::End => return Step::End,
                Kind::Close if depth > 0 => return Step::End,
                Kind::Close => {
                    self.next();
                    self.at_token(Code::Group, token, "`)` closes nothing and is read as nothing", "remove it");
                }
                Kind::Connective => {
                    self.next();
                    return Step::Connective(connective(&token.text));
                }
                Kind::Word => match self.word(token) {
                    Some(step) => return step,
                    None => _ = self.next(),
                },
                _ => return Step::Condition,
            }
        }
    }

    /// A word may be a connective that is not written as one, or `not`, which is skipped.
    fn word(&mut self, token: &Token) -> Option<Step> {
        let lower = token.text.to_ascii_lowercase();
        match &*lower {
            "and" | "or" if token.text == lower => {
                let message = format!("`{lower}` touches what follows and is read as nothing");
                self.at_token(Code::TouchingConnective, token, message, format!("write a space behind `{lower}`"));
            }
            "and" | "or" => {
                let message = format!("`{}` is read as nothing; connectives are lower case", token.text);
                self.at_token(Code::UpperCaseConnective, token, message, format!("write `{lower}`"));
            }
            "not" => {
                let remedy = "write `!contains(…)`, `!match(…)` or `!=`";
                self.at_token(Code::NotWord, token, format!("`{}` is read as nothing", token.text), remedy);
                return None;
            }
            _ => return Some(Step::Condition),
        }
        self.next();
        Some(Step::Connective(connective(&lower)))
    }

    fn connective(&mut self, level: &mut Level<'a>, connective: Connective, token: &'a Token) {
        if let Some(waiting) = level.waiting {
            let message = format!("`{}` follows `{}`", token.text, waiting.text);
            self.at_token(Code::Connective, token, message, "write one connective between two conditions");
        } else if !level.begun {
            let message = format!("nothing stands before `{}`", token.text);
            self.at_token(Code::Connective, token, message, "remove it, or write a condition before it");
        }
        if level.connective.is_some_and(|known| known != connective) && !level.mixed {
            level.mixed = true;
            let message = "`and` and `or` stand side by side, and the last of them is read for all";
            self.at_token(Code::MixedConnectives, token, message, "write parentheses around what belongs together");
        }
        level.connective = Some(connective);
        level.waiting = Some(token);
    }

    fn condition(&mut self, depth: usize) -> Option<Node> {
        let bang = self.next_if(Kind::Bang);
        let token = self.peek();
        let negated = bang.is_some() && is_function(token);
        if let Some(bang) = bang.filter(|_| !negated) {
            let remedy = "write `!` only before `contains(…)` and `match(…)`; a comparison is negated by `!=`";
            self.at_token(Code::MisplacedBang, bang, "`!` is read as nothing here", remedy);
        }
        let node = match token.kind {
            Kind::Open => return self.group(depth),
            Kind::Word => self.term(negated),
            _ => {
                self.next();
                let message = format!("`{}` stands where a condition should and is read as nothing", token.text);
                self.at_token(Code::WrongToken, token, message, "write a field, `contains`, `match` or `(` there");
                None
            }
        };
        if depth > 0 && is_function(token) && !matches!(self.peek().kind, Kind::Close | Kind::End) {
            let message = "the parenthesis that closes this call also closes the group around it";
            self.at_token(
                Code::CallInGroup,
                token,
                message,
                "write it last in the group, or in parentheses of its own",
            );
        }
        node
    }

    fn group(&mut self, depth: usize) -> Option<Node> {
        let open = self.next();
        if depth >= DEEPEST {
            let message = format!("groups are nested more than {DEEPEST} deep");
            self.at_token(Code::NestedGroup, open, message, "write fewer groups within groups");
            self.at = self.tokens.len();
            return None;
        }
        let before = self.faults.len();
        let node = self.level(depth.saturating_add(1));
        let closed = self.next_if(Kind::Close);
        if closed.is_none() && !self.faults.iter().any(|fault| fault.code == Code::NestedGroup) {
            self.at_token(Code::Group, open, "`(` has no partner", "write `)` where the group ends");
        }
        if node == Node::Hole && self.faults.len() == before {
            let remedy = "remove the group, or write a condition in it";
            self.at_token(Code::Group, open, "the group holds no condition", remedy);
        }
        Some(node)
    }
}

fn connective(text: &str) -> Connective {
    if text == "or" { Connective::Or } else { Connective::And }
}

/// What is known of a level so far.
#[derive(Default)]
struct Level<'a> {
    /// The conditions, each with its first token.
    children: Vec<(Node, &'a Token)>,
    /// A condition came, if only one that cannot be read.
    begun: bool,
    connective: Option<Connective>,
    /// The connective behind which nothing has come yet.
    waiting: Option<&'a Token>,
    mixed: bool,
}
