//! Evaluates expressions.

use std::cmp::Ordering;

use super::super::error::Trouble;
use super::super::value::Value;
use super::data::{Data, contains, equal, number, order};
use super::filters;
use super::scope::{Scope, follow};
use super::syntax::{Argument, Filtered, Item, Literal, Operand, Operator};

type Evaluated<T> = Result<T, Trouble>;

impl<'p> Scope<'_, 'p> {
    pub(super) fn filtered(&self, filtered: &Filtered) -> Evaluated<Data<'p>> {
        let mut value = self.expression(&filtered.postfix)?;
        for filter in &filtered.filters {
            let arguments = filter.arguments.iter().map(|argument| self.argument(argument));
            let arguments = arguments.collect::<Evaluated<Vec<_>>>()?;
            value = filters::apply(&filter.name, &value, &arguments, self.budget)?;
        }
        Ok(value)
    }

    /// A named argument is a pair, of its name and its value.
    fn argument(&self, argument: &Argument) -> Evaluated<Data<'p>> {
        match argument {
            Argument::Plain(operand) => self.operand(operand),
            Argument::Named(name, operand) => {
                let value = operand.as_ref().map_or(Ok(Data::UNDEFINED), |operand| self.operand(operand))?;
                Ok(Data::Value(Value::Array(vec![Value::Text(name.clone()), value.plain()])))
            }
        }
    }

    /// What stands first is the value, when there are several without an operator between them.
    fn expression(&self, postfix: &[Item]) -> Evaluated<Data<'p>> {
        let mut stack: Vec<Data<'p>> = Vec::new();
        for item in postfix {
            let result = match item {
                Item::Operand(operand) => self.operand(operand)?,
                Item::Operator(Operator::Not) => bool(!stack.pop().unwrap_or(Data::UNDEFINED).is_true()),
                Item::Operator(operator) => {
                    let right = stack.pop().unwrap_or(Data::UNDEFINED);
                    let left = stack.pop().unwrap_or(Data::UNDEFINED);
                    bool(self.holds(*operator, &left, &right)?)
                }
            };
            stack.push(result);
        }
        Ok(stack.into_iter().next().unwrap_or(Data::UNDEFINED))
    }

    fn holds(&self, operator: Operator, left: &Data<'p>, right: &Data<'p>) -> Evaluated<bool> {
        let budget = self.budget;
        Ok(match operator {
            Operator::Equal => equal(left, right),
            Operator::NotEqual => !equal(left, right),
            Operator::Greater => order(left, right, budget)?.is_some_and(Ordering::is_gt),
            Operator::Less => order(left, right, budget)?.is_some_and(Ordering::is_lt),
            Operator::NotLess => order(left, right, budget)?.is_some_and(Ordering::is_ge),
            Operator::NotGreater => order(left, right, budget)?.is_some_and(Ordering::is_le),
            Operator::Contains => contains(left, right, budget)?,
            Operator::And => left.is_true() && right.is_true(),
            Operator::Or => left.is_true() || right.is_true(),
            Operator::Not => !right.is_true(),
        })
    }

    pub(super) fn operand(&self, operand: &Operand) -> Evaluated<Data<'p>> {
        Ok(match operand {
            Operand::Text(text) => Data::Value(Value::Text(text.clone())),
            Operand::Number(number) => Data::Value(Value::Number(*number)),
            Operand::Literal(Literal::True) => bool(true),
            Operand::Literal(Literal::False) => bool(false),
            Operand::Literal(Literal::Nil) => Data::Nil,
            Operand::Literal(Literal::Empty) => Data::Empty,
            Operand::Literal(Literal::Blank) => Data::Blank,
            Operand::Path(root, keys) => {
                let keys = keys.iter().map(|key| Ok(self.operand(key)?.plain())).collect::<Evaluated<Vec<_>>>()?;
                match root {
                    None => self.find(&keys)?,
                    Some(root) => {
                        let root = self.operand(root)?.plain();
                        Data::Value(follow(root.piece(), &keys, self.budget)?)
                    }
                }
            }
            Operand::Range(low, high) => {
                let low = number(self.operand(low)?.plain().piece(), self.budget)?;
                let high = number(self.operand(high)?.plain().piece(), self.budget)?;
                Data::Value(self.range(low, high)?)
            }
        })
    }

    fn range(&self, low: f64, high: f64) -> Evaluated<Value<'p>> {
        let (mut numbers, mut at) = (Vec::new(), low);
        while at < high + 1.0 {
            self.budget.nodes(1)?;
            numbers.push(Value::Number(at));
            at += 1.0;
        }
        Ok(Value::Array(numbers))
    }
}

fn bool<'p>(flag: bool) -> Data<'p> {
    Data::Value(Value::Bool(flag))
}
