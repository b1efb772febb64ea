package millrace.features;

import static millrace.features.History.DICTIONARY_HEAD;
import static millrace.features.History.INT;
import static millrace.features.History.LAYOUT_AT;
import static millrace.features.History.LONG;
import static millrace.features.History.SCALARS;
import static millrace.features.History.SHORT;
import static millrace.features.History.VERSION;
import static millrace.features.History.unsignedShort;

import java.util.Arrays;

/** Makes the next state value of a key from its {@link History}. */
final class HistoryWriter {

    private static final byte[] NO_TEXT = {};

    private final Layout layout;
    private final byte[] empty;

    /** Code of the event's value in the dictionary, by text column; for the id, its length. */
    private final int[] codes;

    /** Number of bytes by which the dictionary grows, by text column. */
    private final int[] growth;

    private History history;
    private int position;
    private int dropped;
    private byte[] target;
    private int at;

    HistoryWriter(Layout layout) {
        this.layout = layout;
        this.codes = new int[layout.texts];
        this.growth = new int[layout.texts];
        this.empty = new byte[LAYOUT_AT + layout.header.length + SCALARS + DICTIONARY_HEAD * (layout.texts - 1)];
        this.target = empty;
        writeHead(Long.MIN_VALUE, Long.MIN_VALUE, 0);
    }

    /** The value of a key without events. */
    byte[] empty() {
        return empty;
    }

    /**
     * Returns the value without the {@code dropped} oldest events, and with {@code event} at {@code position}, counted
     * among the events before any was dropped.
     */
    byte[] add(History from, Event event, int place, int droppedEvents, long droppedUntil) {
        history = from;
        position = place;
        dropped = droppedEvents;
        int events = from.count() - dropped + 1;
        long newest = Math.max(from.newest(), event.time);
        byte[] id = (event.flags & layout.textFlag(0)) == 0 ? NO_TEXT : event.texts[0];
        codes[0] = id.length;
        findCodes(event);
        target = new byte[size(events, id.length)];
        writeHead(newest, droppedUntil, events);
        writeAges(newest, (int) (newest - event.time));
        writeFlags(event.flags);
        for (int column = 0; column < layout.numbers; column++) {
            LONG.set(target, spread(from.numbersAt(column), 8), event.numbers[column]);
        }
        for (int column = 0; column < layout.texts; column++) {
            SHORT.set(target, spread(from.textsAt(column), 2), (short) codes[column]);
        }
        writeIds(id);
        for (int column = 1; column < layout.texts; column++) {
            writeDictionary(column, event.texts[column]);
        }
        return target;
    }

    /** Returns the same value, with this time as that until which events were dropped. */
    byte[] withDroppedUntil(History from, long droppedUntil) {
        byte[] value = from.bytes().clone();
        LONG.set(value, from.agesAt() - 10, droppedUntil);
        return value;
    }

    /** Returns whether dictionaries hold enough unused values for a {@link #compact}. */
    boolean isWasteful(History from) {
        for (int column = 1; column < layout.texts; column++) {
            if (from.dictionarySize(column) > 2 * from.count() + 8) {
                return true;
            }
        }
        return false;
    }

    /** The same value without unused values in the dictionaries. */
    byte[] compact(History from) {
        history = from;
        target = from.bytes().clone();
        at = from.idAt(from.count());
        for (int column = 1; column < layout.texts; column++) {
            compactDictionary(column);
        }
        return Arrays.copyOf(target, at);
    }

    /** Converts a value of another layout: columns that it lacks are NULL, conditions don't match. */
    byte[] migrate(History older) {
        History migrated = new History(layout);
        migrated.open(empty);
        Event event = new Event(layout);
        for (int i = 0; i < older.count(); i++) {
            read(older, i, event);
            migrated.open(add(migrated, event, i, 0, Long.MIN_VALUE));
        }
        long unknownUntil = layout.isWithin(older.layout) ? Long.MIN_VALUE : older.newest();
        return withDroppedUntil(migrated, Math.max(older.droppedUntil(), unknownUntil));
    }

    private void read(History older, int index, Event event) {
        event.time = older.time(index);
        event.flags = 0;
        for (int line = 0; line < layout.lines.size(); line++) {
            int olderLine = older.layout.lines.indexOf(layout.lines.get(line));
            if (olderLine < 0 || !older.has(index, 1L << olderLine)) {
                continue;
            }
            event.flags |= 1L << line;
            if (line < layout.texts) {
                int from = older.textAt(index, olderLine);
                int length = older.textLength(index, olderLine, from);
                event.texts[line] = Arrays.copyOfRange(older.bytes(), from, from + length);
            } else if (line < layout.texts + layout.numbers) {
                event.numbers[line - layout.texts] = older.number(index, olderLine - older.layout.texts);
            }
        }
    }

    private void findCodes(Event event) {
        for (int column = 1; column < layout.texts; column++) {
            codes[column] = 0;
            growth[column] = 0;
            if ((event.flags & layout.textFlag(column)) != 0) {
                findCode(column, event.texts[column]);
            }
        }
    }

    private void findCode(int column, byte[] text) {
        byte[] bytes = history.bytes();
        int size = history.dictionarySize(column);
        int from = history.dictionaryAt(column) + DICTIONARY_HEAD;
        for (int code = 0; code < size; code++) {
            int length = unsignedShort(bytes, from);
            from += 2;
            if (length == text.length && Arrays.equals(bytes, from, from + length, text, 0, length)) {
                codes[column] = code;
                return;
            }
            from += length;
        }
        codes[column] = size;
        growth[column] = 2 + text.length;
    }

    private int size(int events, int idLength) {
        int size = LAYOUT_AT + layout.header.length + SCALARS;
        size += events * (4 + layout.flagBytes() + 8 * layout.numbers + 2 * layout.texts);
        size += history.idAt(history.count()) - history.idAt(dropped) + idLength;
        size += history.bytes().length - history.idAt(history.count());
        for (int column = 1; column < layout.texts; column++) {
            size += growth[column];
        }
        return size;
    }

    private void writeHead(long newest, long droppedUntil, int events) {
        target[0] = VERSION;
        SHORT.set(target, 1, (short) layout.header.length);
        System.arraycopy(layout.header, 0, target, LAYOUT_AT, layout.header.length);
        at = LAYOUT_AT + layout.header.length;
        LONG.set(target, at, newest);
        LONG.set(target, at + 8, droppedUntil);
        SHORT.set(target, at + 16, (short) events);
        at += SCALARS;
    }

    private void writeAges(long newest, int age) {
        int older = (int) (newest - history.newest());
        byte[] bytes = history.bytes();
        int from = history.agesAt();
        for (int event = dropped; event < position; event++, at += 4) {
            INT.set(target, at, (int) INT.get(bytes, from + 4 * event) + older);
        }
        INT.set(target, at, age);
        at += 4;
        for (int event = position; event < history.count(); event++, at += 4) {
            INT.set(target, at, (int) INT.get(bytes, from + 4 * event) + older);
        }
    }

    private void writeFlags(long flags) {
        int place = spread(history.flagsAt(), layout.flagBytes());
        for (int i = 0; i < layout.flagBytes(); i++) {
            target[place + i] = (byte) (flags >>> (8 * i));
        }
    }

    /** Copies a column of values of this width, and returns the gap for the new event's value. */
    private int spread(int from, int width) {
        int before = (position - dropped) * width;
        int after = (history.count() - position) * width;
        int place = at + before;
        System.arraycopy(history.bytes(), from + dropped * width, target, at, before);
        System.arraycopy(history.bytes(), from + position * width, target, place + width, after);
        at = place + width + after;
        return place;
    }

    private void writeIds(byte[] id) {
        copy(history.idAt(dropped), history.idAt(position));
        System.arraycopy(id, 0, target, at, id.length);
        at += id.length;
        copy(history.idAt(position), history.idAt(history.count()));
    }

    private void writeDictionary(int column, byte[] text) {
        int head = at;
        copy(history.dictionaryAt(column), history.dictionaryAt(column + 1));
        if (growth[column] > 0) {
            SHORT.set(target, at, (short) text.length);
            System.arraycopy(text, 0, target, at + 2, text.length);
            at += growth[column];
            writeDictionaryHead(head, history.dictionarySize(column) + 1);
        }
    }

    private void writeDictionaryHead(int head, int entries) {
        SHORT.set(target, head, (short) entries);
        INT.set(target, head + 2, at - head - DICTIONARY_HEAD);
    }

    private void compactDictionary(int column) {
        boolean[] used = new boolean[history.dictionarySize(column)];
        for (int event = 0; event < history.count(); event++) {
            if (history.has(event, layout.textFlag(column))) {
                used[history.code(event, column)] = true;
            }
        }
        int[] newCodes = copyEntries(column, used);
        for (int event = 0; event < history.count(); event++) {
            if (history.has(event, layout.textFlag(column))) {
                SHORT.set(target, history.textsAt(column) + 2 * event, (short) newCodes[history.code(event, column)]);
            }
        }
    }

    /** Returns the new code by the old one. */
    private int[] copyEntries(int column, boolean[] used) {
        int[] newCodes = new int[used.length];
        int head = at;
        int entries = 0;
        int from = history.dictionaryAt(column) + DICTIONARY_HEAD;
        at += DICTIONARY_HEAD;
        for (int code = 0; code < used.length; code++) {
            int to = from + 2 + unsignedShort(history.bytes(), from);
            if (used[code]) {
                newCodes[code] = entries++;
                copy(from, to);
            }
            from = to;
        }
        writeDictionaryHead(head, entries);
        return newCodes;
    }

    private void copy(int from, int to) {
        System.arraycopy(history.bytes(), from, target, at, to - from);
        at += to - from;
    }
}
