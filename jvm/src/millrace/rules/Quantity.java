package millrace.rules;

/**
 * A number that a condition computes from facts, none of which is missing; NaN where a double may differ from Python's
 * numbers: there integers have no limit, and are compared with others exactly.
 */
abstract class Quantity {

    /** Limit below which every integer is a double, and integers that are computed as doubles are exact. */
    private static final double EXACT = 1L << 53;

    private Quantity() {}

    abstract double of(Object[] facts);

    /** A fact's value. */
    static double number(Object value) {
        if (value instanceof Long whole) {
            return exact((double) whole);
        }
        if (value instanceof Double number) {
            return number;
        }
        return value instanceof Integer whole ? whole : Double.NaN;
    }

    /** Returns a value that is an integer, or may be one; NaN if it may not be exact. */
    static double exact(double value) {
        return Math.abs(value) < EXACT ? value : Double.NaN;
    }

    static final class Constant extends Quantity {

        final double value;

        Constant(double value) {
            this.value = value;
        }

        @Override
        double of(Object[] facts) {
            return value;
        }
    }

    static final class Fact extends Quantity {

        final int fact;

        Fact(int fact) {
            this.fact = fact;
        }

        @Override
        double of(Object[] facts) {
            return number(facts[fact]);
        }
    }

    static final class Times extends Quantity {

        private final Quantity left;
        private final Quantity right;

        Times(Quantity left, Quantity right) {
            this.left = left;
            this.right = right;
        }

        @Override
        double of(Object[] facts) {
            return exact(left.of(facts) * right.of(facts));
        }
    }

    /** Quotient as {@code ratio} in {@code udfs/conditions}: by 0 it is infinite, with the numerator's sign. */
    static final class Ratio extends Quantity {

        private final Quantity numerator;
        private final Quantity denominator;

        Ratio(Quantity numerator, Quantity denominator) {
            this.numerator = numerator;
            this.denominator = denominator;
        }

        @Override
        double of(Object[] facts) {
            double above = numerator.of(facts);
            double below = denominator.of(facts);
            return below == 0 ? above / 0.0 : above / below;
        }
    }
}
