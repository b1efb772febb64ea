package millrace.rules;

import org.apache.flink.table.data.StringData;

/**
 * Condition of payments that may break a rule. It is a necessary condition for that of {@code udfs/conditions}: where
 * Java can't decide (a number that a double doesn't hold exactly, a type that no condition uses), it holds.
 *
 * <p>Negations are in the leaves, so that an undecided leaf can only let more payments pass. As in SQL, a comparison
 * with a missing value is not true, and neither is its opposite.
 */
public abstract class Condition {

    /** Holds for every payment. */
    static final Condition ALWAYS =
            new Condition() {
                @Override
                public boolean mayHold(Object[] facts) {
                    return true;
                }
            };

    private Condition() {}

    /**
     * Returns whether the condition may hold.
     *
     * @param facts in Flink's internal form, null where one is missing
     */
    public abstract boolean mayHold(Object[] facts);

    static final class All extends Condition {

        private final Condition[] parts;

        All(Condition[] parts) {
            this.parts = parts;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            for (Condition part : parts) {
                if (!part.mayHold(facts)) {
                    return false;
                }
            }
            return true;
        }
    }

    static final class Any extends Condition {

        private final Condition[] parts;

        Any(Condition[] parts) {
            this.parts = parts;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            for (Condition part : parts) {
                if (part.mayHold(facts)) {
                    return true;
                }
            }
            return false;
        }
    }

    /** A fact is missing, or exists. */
    static final class Missing extends Condition {

        private final int fact;
        private final boolean missing;

        Missing(int fact, boolean missing) {
            this.fact = fact;
            this.missing = missing;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            return facts[fact] == null == missing;
        }
    }

    /** A flag is set, or isn't. */
    static final class Flag extends Condition {

        private final int fact;
        private final boolean set;

        Flag(int fact, boolean set) {
            this.fact = fact;
            this.set = set;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            Object value = facts[fact];
            return value instanceof Boolean flag ? flag == set : value != null;
        }
    }

    /** A text is one of some constants, or none of them. */
    static final class OneOf extends Condition {

        private final int fact;
        private final StringData[] constants;
        private final boolean wanted;

        OneOf(int fact, StringData[] constants, boolean wanted) {
            this.fact = fact;
            this.constants = constants;
            this.wanted = wanted;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            Object value = facts[fact];
            if (!(value instanceof StringData)) {
                return value != null;
            }
            for (StringData constant : constants) {
                if (constant.equals(value)) {
                    return wanted;
                }
            }
            return !wanted;
        }
    }

    /** Two texts are the same, or differ. */
    static final class Same extends Condition {

        private final int left;
        private final int right;
        private final boolean wanted;

        Same(int left, int right, boolean wanted) {
            this.left = left;
            this.right = right;
            this.wanted = wanted;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            Object mine = facts[left];
            Object other = facts[right];
            if (mine == null || other == null) {
                return false;
            }
            return !(mine instanceof StringData && other instanceof StringData) || mine.equals(other) == wanted;
        }
    }

    /** How two numbers are compared; a number that isn't known exactly is NaN. */
    enum Operator {
        LESS,
        AT_MOST,
        MORE,
        AT_LEAST,
        EQUAL,
        UNEQUAL;

        boolean mayHold(double left, double right) {
            if (Double.isNaN(left) || Double.isNaN(right)) {
                return true;
            }
            return switch (this) {
                case LESS -> left < right;
                case AT_MOST -> left <= right;
                case MORE -> left > right;
                case AT_LEAST -> left >= right;
                case EQUAL -> left == right;
                case UNEQUAL -> left != right;
            };
        }
    }

    /** A fact is compared with a constant, as most rules do. */
    static final class Threshold extends Condition {

        private final int fact;
        private final Operator operator;
        private final double constant;

        Threshold(int fact, Operator operator, double constant) {
            this.fact = fact;
            this.operator = operator;
            this.constant = constant;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            Object value = facts[fact];
            return value != null && operator.mayHold(Quantity.number(value), constant);
        }
    }

    /** Two terms are compared. */
    static final class Comparison extends Condition {

        private final int[] needed;
        private final Quantity left;
        private final Operator operator;
        private final Quantity right;

        /**
         * A comparison.
         *
         * @param needed the facts in both terms
         */
        Comparison(int[] needed, Quantity left, Operator operator, Quantity right) {
            this.needed = needed;
            this.left = left;
            this.operator = operator;
            this.right = right;
        }

        @Override
        public boolean mayHold(Object[] facts) {
            for (int fact : needed) {
                if (facts[fact] == null) {
                    return false;
                }
            }
            return operator.mayHold(left.of(facts), right.of(facts));
        }
    }
}
