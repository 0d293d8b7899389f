//! The configuration inside a student's file, `special:model.yml`.

use std::str::FromStr;

use crate::nn::kernels::Activation;

/// What inference depends on and the tensors' shapes don't tell.
pub(super) struct StudentConfig {
    pub features: usize,
    pub heads: usize,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
    /// The decoder's layer whose first head was trained to align, from 1 on.
    pub aligning_layer: usize,
    pub activation: Activation,
    /// Whether both sides have one vocabulary and one table of embeddings.
    pub shared: bool,
}

impl StudentConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// What is wrong with it, in words that continue the file's name.
    pub(super) fn parse(yaml: &str) -> Result<Self, String> {
        /// Far above any student, and low enough that no product of two overflows.
        const LARGEST: usize = 1 << 16;
        let entries = Entries(yaml);
        entries.check()?;
        let size = |key| match entries.get(key).map(usize::from_str) {
            Some(Ok(size)) if (1..=LARGEST).contains(&size) => Ok(size),
            _ => Err(format!("has a configuration whose {key} is missing, or a size that no model has")),
        };
        let activation = match entries.get("transformer-ffn-activation") {
            Some("relu") => Activation::Relu,
            Some("swish") => Activation::Silu,
            other => {
                return Err(format!(
                    "has the activation {:?}, where relu or swish is known",
                    other.unwrap_or_default()
                ));
            }
        };
        let (features, heads) = (size("dim-emb")?, size("transformer-heads")?);
        if !features.is_multiple_of(heads) || !features.is_multiple_of(2) || features < 4 {
            return Err(format!("has {features} features for {heads} heads, which doesn't go"));
        }
        let decoder_layers = size("dec-depth")?;
        let aligning_layer = match entries.get("transformer-guided-alignment-layer") {
            None | Some("last") => decoder_layers,
            Some(layer) => match layer.parse() {
                Ok(layer) if (1..=decoder_layers).contains(&layer) => layer,
                _ => return Err(format!("aligns by the layer {layer:?}, of {decoder_layers}")),
            },
        };
        Ok(Self {
            features,
            heads,
            encoder_layers: size("enc-depth")?,
            decoder_layers,
            aligning_layer,
            activation,
            shared: entries.get("tied-embeddings-all") == Some("true"),
        })
    }
}

/// The plain `key: value` lines of a YAML file. Nothing that matters here is nested.
struct Entries<'a>(&'a str);

impl<'a> Entries<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        let values = self.0.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        values.map(|value| value.trim().trim_matches(['"', '\''])).next()
    }

    /// Refuses what would make another network than the one that is built here.
    fn check(&self) -> Result<(), String> {
        /// What a student's file always says.
        const NEEDED: [(&str, &[&str]); 3] =
            [("type", &["transformer"]), ("transformer-decoder-autoreg", &["rnn"]), ("dec-cell", &["ssru"])];
        /// What is so by default, too.
        const USUAL: [(&str, &[&str]); 12] = [
            ("transformer-preprocess", &["", "d"]),
            ("transformer-postprocess", &["dan", "an"]),
            ("transformer-postprocess-emb", &["d", ""]),
            ("transformer-postprocess-top", &["", "d"]),
            ("transformer-ffn-depth", &["2"]),
            ("transformer-no-projection", &["false"]),
            ("transformer-rnn-projection", &["false"]),
            ("transformer-train-positions", &["false"]),
            ("transformer-train-position-embeddings", &["false"]),
            ("transformer-pool", &["false"]),
            ("layer-normalization", &["false"]),
            ("lemma-dim-emb", &["0"]),
        ];
        let needed = NEEDED.map(|(key, known)| (key, known, self.get(key).unwrap_or_default()));
        let usual = USUAL.map(|(key, known)| (key, known, self.get(key).unwrap_or(known[0])));
        match needed.iter().chain(&usual).find(|(_, known, value)| !known.contains(value)) {
            None => Ok(()),
            Some((key, known, value)) => Err(format!(
                "isn't a student that is known here: its configuration has {key}: {value:?}, not {:?}",
                known[0]
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = "dec-cell: ssru\ndec-depth: 2\ndim-emb: 256\ndim-vocabs:\n  - 32000\n  - 32000\nenc-depth: 6\n\
        tied-embeddings-all: true\ntransformer-decoder-autoreg: rnn\ntransformer-dim-ffn: 1536\n\
        transformer-ffn-activation: relu\ntransformer-ffn-depth: 2\ntransformer-heads: 8\n\
        transformer-postprocess: dan\ntransformer-postprocess-top: \"\"\ntransformer-preprocess: \"\"\n\
        type: transformer\n";

    #[test]
    fn a_configuration_is_read() {
        let config = StudentConfig::parse(TINY).unwrap();
        assert_eq!((config.features, config.heads), (256, 8));
        assert_eq!((config.encoder_layers, config.decoder_layers, config.aligning_layer), (6, 2, 2));
        assert!(config.shared);
        assert_eq!(config.activation, Activation::Relu);
    }

    #[test]
    fn what_would_be_another_network_is_refused_by_name() {
        for (line, other) in [
            ("type: transformer", "type: s2s"),
            ("dec-cell: ssru", "dec-cell: gru"),
            ("transformer-decoder-autoreg: rnn", "transformer-decoder-autoreg: self-attention"),
            ("transformer-decoder-autoreg: rnn", ""),
            ("transformer-preprocess: \"\"", "transformer-preprocess: n"),
            ("transformer-ffn-depth: 2", "transformer-ffn-depth: 3"),
            ("dim-emb: 256", "dim-emb: 99999999999"),
            ("dim-emb: 256", "dim-emb: -1"),
            ("enc-depth: 6", ""),
            ("transformer-heads: 8", "transformer-heads: 7"),
        ] {
            let error = StudentConfig::parse(&TINY.replace(line, other)).err().unwrap();
            let key = line.split(':').next().unwrap();
            assert!(error.contains(key) || error.contains("heads"), "{error}");
        }
        let aligning =
            |layer| StudentConfig::parse(&format!("{TINY}transformer-guided-alignment-layer: {layer}\n"));
        assert_eq!(aligning("1").ok().unwrap().aligning_layer, 1);
        for layer in ["0", "3", "first"] {
            assert!(aligning(layer).err().unwrap().contains("aligns by the layer"));
        }
        let error = StudentConfig::parse(&TINY.replace("relu", "tanh")).err().unwrap();
        assert!(error.contains("\"tanh\""), "{error}");
    }
}
