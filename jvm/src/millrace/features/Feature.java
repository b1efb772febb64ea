package millrace.features;

import java.util.List;

/**
 * One declared feature.
 *
 * @param windowMs length of the sliding window; 0 for the aggregates that look at the previous event
 * @param where condition of the events that count; null for all
 * @param limit maximum number of values that {@code recent} keeps; 0 for the others
 */
record Feature(String name, Aggregate aggregate, List<String> columns, long windowMs, Where where, int limit) {

    /** Holds for events whose text {@code column} equals {@code value}. */
    record Where(String column, String value) {

        @Override
        public String toString() {
            return column + " = '" + value.replace("'", "''") + "'";
        }
    }
}
