//! What turning one latent up and another down did, as JSON, as a table and as figures.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::{Step, UpDown};
use crate::cli::text;
use crate::client::single as number;
use crate::plot::{self, Axis, Series};

impl UpDown {
    /// What scripts read.
    pub(in crate::cli::eval) fn json(&self) -> Value {
        let methods: Map<String, Value> = self
            .methods
            .iter()
            .map(|(method, steps)| {
                let steps = steps.iter().map(|step| self.step_json(step));
                (method.name().to_owned(), steps.collect())
            })
            .collect();
        json!({
            "queries": self.queries,
            "judge": self.judge,
            "judged": self.judged,
            "unsteered": {
                "up_share": self.unsteered.outcome.target_share,
                "down_share": self.unsteered.down_share,
            },
            "methods": methods,
        })
    }

    fn step_json(&self, step: &Step) -> Value {
        let mut value = json!({
            "strength": number(step.strength),
            "cosine": step.cosine,
            "relevance_kept": step.outcome.relevance,
            "up_share": step.outcome.target_share,
            "down_share": step.down_share,
            "overlap": step.outcome.overlap,
        });
        if self.judge.is_some() {
            value["up_accuracy"] = json!(step.up_picked.accuracy());
            value["down_accuracy"] = json!(step.down_picked.accuracy());
            value["unanswered"] = json!(step.up_picked.unanswered + step.down_picked.unanswered);
        }
        value
    }

    /// What a person reads.
    pub(in crate::cli::eval) fn text(&self) -> String {
        let mut head = vec![
            "one up, one down",
            "strength",
            "cosine",
            "relevance kept",
            "up share",
            "down share",
            "overlap",
        ];
        if self.judge.is_some() {
            head.extend(["up picked", "down picked"]);
        }
        let row = |name: &str, strength: Option<f32>, step: &Step| {
            let mut row = vec![
                name.to_owned(),
                strength.map_or(String::new(), |strength| strength.to_string()),
                format!("{:.3}", step.cosine),
                format!("{:.3}", step.outcome.relevance),
                format!("{:.3}", step.outcome.target_share),
                format!("{:.3}", step.down_share),
                format!("{:.2}", step.outcome.overlap),
            ];
            if self.judge.is_some() {
                let picked = [step.up_picked, step.down_picked].map(|picked| {
                    let accuracy = picked.accuracy();
                    accuracy.map_or("-".to_owned(), |accuracy| format!("{accuracy:.2}"))
                });
                row.extend(picked);
            }
            row
        };
        let mut rows = vec![row("unsteered", None, &self.unsteered)];
        for (method, steps) in &self.methods {
            let steps = steps.iter();
            rows.extend(steps.map(|step| row(method.name(), Some(step.strength), step)));
        }
        let judged = self.judge.as_ref().map_or(String::new(), |judge| {
            format!(", {} judged by {judge} (chance .20)", self.judged)
        });
        format!(
            "\n{}{} queries{judged}\n",
            text::table(&head, &rows),
            self.queries
        )
    }

    /// Writes `up-share.svg`, `down-share.svg` and `overlap.svg`, and where there is a judge
    /// `up-picked.svg` and `down-picked.svg`, each against the cosine.
    pub(in crate::cli::eval) fn draw(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        type Value = fn(&Step) -> Option<f64>;
        let share: [(&str, &str, Value); 3] = [
            ("up-share.svg", "hits with the latent turned up", |step| {
                Some(step.outcome.target_share)
            }),
            (
                "down-share.svg",
                "hits with the latent turned down",
                |step| Some(step.down_share),
            ),
            ("overlap.svg", "unsteered hits that stay", |step| {
                Some(step.outcome.overlap)
            }),
        ];
        let picked: [(&str, &str, Value); 2] = [
            ("up-picked.svg", "latent turned up is picked", |step| {
                step.up_picked.accuracy()
            }),
            ("down-picked.svg", "latent turned down is picked", |step| {
                step.down_picked.accuracy()
            }),
        ];
        let picked = picked.iter().filter(|_| self.judge.is_some());
        for (file, name, value) in share.iter().chain(picked) {
            plot::write(&folder.join(file), &self.figure(name, *value)?)?;
        }
        Ok(())
    }

    fn figure(&self, name: &str, value: fn(&Step) -> Option<f64>) -> anyhow::Result<String> {
        let curves: Vec<(&str, Vec<(f64, f64)>)> = self
            .methods
            .iter()
            .map(|(method, steps)| {
                let points = steps.iter();
                let points = points.filter_map(|step| Some((step.cosine, value(step)?)));
                (method.name(), points.collect())
            })
            .collect();
        let series: Vec<Series> = curves
            .iter()
            .map(|(name, points)| Series { name, points })
            .collect();
        let title = format!("{} queries, one latent up and one down", self.queries);
        let x = Axis::new("cosine of the query before and after");
        let y = Axis::new(name).unit("share");
        Ok(plot::lines(&title, &x, &y, &series)?)
    }
}
