package millrace.features;

/** Stored values of one event, by a {@link Layout}; one object is filled anew for each event. */
final class Event {

    /** Event time in milliseconds. */
    long time;

    /** Bits of the columns that have a value, and of the conditions that hold. */
    long flags;

    /** Texts in UTF-8, by text column; valid only if the column's flag is set. */
    final byte[][] texts;

    /** Integer or bits of the double, by number column. */
    final long[] numbers;

    Event(Layout layout) {
        texts = new byte[layout.texts][];
        numbers = new long[layout.numbers];
    }
}
