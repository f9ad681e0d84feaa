//! Filters of numbers. What is no number counts as zero.

use super::super::super::error::Trouble;
use super::super::super::value::Value;
use super::super::data::{Data, number};
use super::{Call, Outcome, Run};

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "abs" => |call| Ok(Value::Number(input(call)?.abs())),
        "at_least" => |call| Ok(Value::Number(others(call)?.into_iter().fold(input(call)?, f64::max))),
        "at_most" => |call| Ok(Value::Number(others(call)?.into_iter().fold(input(call)?, f64::min))),
        "ceil" => |call| Ok(Value::Number(input(call)?.ceil())),
        "floor" => |call| Ok(Value::Number(input(call)?.floor())),
        "round" => round,
        "plus" => |call| Ok(Value::Number(input(call)? + other(call)?)),
        "minus" => |call| Ok(Value::Number(input(call)? - other(call)?)),
        "times" => |call| Ok(Value::Number(input(call)? * other(call)?)),
        "divided_by" => divided_by,
        "modulo" => modulo,
        _ => return None,
    })
}

fn input(call: &Call<'_, '_>) -> Result<f64, Trouble> {
    counted(call, call.input)
}

fn others(call: &Call<'_, '_>) -> Result<Vec<f64>, Trouble> {
    call.arguments.iter().map(|argument| counted(call, argument)).collect()
}

/// The argument. One that is missing is not a number, and then nor is the result.
fn other(call: &Call<'_, '_>) -> Result<f64, Trouble> {
    call.arguments.first().map_or(Ok(f64::NAN), |argument| counted(call, argument))
}

fn counted(call: &Call<'_, '_>, data: &Data<'_>) -> Result<f64, Trouble> {
    let number = number(data.clone().plain().piece(), call.budget)?;
    Ok(if number.is_nan() { 0.0 } else { number })
}

fn divided_by<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let quotient = input(call)? / other(call)?;
    let whole = others(call)?.get(1).is_some_and(|flag| *flag != 0.0);
    Ok(Value::Number(if whole { quotient.floor() } else { quotient }))
}

/// The remainder has the sign of the divisor.
fn modulo<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let divisor = other(call)?;
    Ok(Value::Number((input(call)? % divisor + divisor) % divisor))
}

/// Halves go up. The small factor makes 1.005 round to 1.01, as the engine of the reference does.
fn round<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let places = if call.given(0).is_some() { other(call)? } else { 0.0 };
    let factor = 10_f64.powf(places);
    let scaled = (input(call)? * factor) * (1.0 + f64::EPSILON);
    let below = scaled.floor();
    let rounded = if scaled - below >= 0.5 { below + 1.0 } else { below };
    Ok(Value::Number(rounded / factor))
}
