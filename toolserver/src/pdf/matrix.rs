//! Positions on a page.

use lopdf::Object;

/// `x' = a x + c y + e`, `y' = b x + d y + f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
    pub(super) e: f64,
    pub(super) f: f64,
}

impl Matrix {
    pub(super) const IDENTITY: Matrix = Matrix { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 };

    pub(super) fn translation(e: f64, f: f64) -> Self {
        Matrix { e, f, ..Matrix::IDENTITY }
    }

    /// From six operands.
    pub(super) fn from_operands(operands: &[Object]) -> Option<Self> {
        let [a, b, c, d, e, f] = operands else { return None };
        let number = |object: &Object| object.as_float().ok().map(f64::from);
        Some(Matrix { a: number(a)?, b: number(b)?, c: number(c)?, d: number(d)?, e: number(e)?, f: number(f)? })
    }

    /// First `self`, then `next`.
    pub(super) fn then(&self, next: &Matrix) -> Self {
        Matrix {
            a: self.a * next.a + self.b * next.c,
            b: self.a * next.b + self.b * next.d,
            c: self.c * next.a + self.d * next.c,
            d: self.c * next.b + self.d * next.d,
            e: self.e * next.a + self.f * next.c + next.e,
            f: self.e * next.b + self.f * next.d + next.f,
        }
    }

    /// Where the origin goes.
    pub(super) fn origin(&self) -> (f64, f64) {
        (self.e, self.f)
    }

    /// Where the horizontal goes: its direction, and how much longer it gets. `None` when it vanishes.
    pub(super) fn horizontal(&self) -> Option<((f64, f64), f64)> {
        let length = self.a.hypot(self.b);
        (length.is_normal()).then(|| ((self.a / length, self.b / length), length))
    }

    /// How much longer the vertical gets.
    pub(super) fn height(&self) -> f64 {
        self.c.hypot(self.d)
    }
}
