//! Rows as PostgreSQL's COPY reads them, in its text form.

/// Rows of one table, column by column; [`Rows::end`] ends each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    text: Vec<u8>,
    /// Whether the row that is being made has a column.
    begun: bool,
}

impl Rows {
    /// A text. What COPY reads as something else is written otherwise.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.column();
        for byte in value.bytes() {
            match byte {
                b'\\' => self.text.extend_from_slice(b"\\\\"),
                b'\t' => self.text.extend_from_slice(b"\\t"),
                b'\n' => self.text.extend_from_slice(b"\\n"),
                b'\r' => self.text.extend_from_slice(b"\\r"),
                other => self.text.push(other),
            }
        }
        self
    }

    /// A number.
    pub fn number(&mut self, value: i64) -> &mut Self {
        self.column();
        self.text.extend_from_slice(value.to_string().as_bytes());
        self
    }

    /// Yes or no.
    pub fn truth(&mut self, value: bool) -> &mut Self {
        self.column();
        self.text.push(if value { b't' } else { b'f' });
        self
    }

    /// A text, or NULL.
    pub fn maybe(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// NULL, which no text is: its backslash would be two.
    pub fn null(&mut self) -> &mut Self {
        self.column();
        self.text.extend_from_slice(b"\\N");
        self
    }

    /// Ends a row.
    pub fn end(&mut self) {
        self.text.push(b'\n');
        self.begun = false;
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text
    }

    fn column(&mut self) {
        if self.begun {
            self.text.push(b'\t');
        }
        self.begun = true;
    }
}
