package millrace.features;

/** What is remembered of one event, as a {@link Layout} says; one object is filled anew for each event. */
final class Event {

    /** Event time, milliseconds. */
    long time;

    /** Which columns have a value, which conditions hold. */
    long flags;

    /** UTF-8, by text column; only where the flag says that there is a value. */
    final byte[][] texts;

    /** By number column: the integer, or the double's bits. */
    final long[] numbers;

    Event(Layout layout) {
        texts = new byte[layout.texts][];
        numbers = new long[layout.numbers];
    }
}
