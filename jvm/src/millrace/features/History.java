package millrace.features;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * One key's recent events in one array of bytes: a view of the state value, read where it lies. A value is never
 * changed once it is written; {@link HistoryWriter} makes the next one.
 *
 * <p>The bytes, little endian, columns one after another so that most of the next value is copied in blocks:
 *
 * <pre>
 * byte   version
 * uint16 length of the layout's text, then the text
 * int64  newest: the greatest event time seen
 * int64  dropped until: the greatest event time of a dropped event; Long.MIN_VALUE for none
 * uint16 n, the number of events; they are ordered by event time, then by arrival
 * n × int32   age: newest − event time, milliseconds
 * n × bytes   flags
 * n × int64   for each number column
 * n × uint16  length of the id
 * n × uint16  for each other text column: place of the value in the column's dictionary
 * bytes       the ids
 * for each other text column its dictionary: uint16 entries, int32 bytes of entries, uint16 length and bytes of each
 * </pre>
 */
final class History {

    /** Maximum length of a stored text, so that a key's state is bounded by events × text columns × this. */
    static final int LONGEST_TEXT = 1_024;

    static final byte VERSION = 1;
    static final int LAYOUT_AT = 3;
    static final int SCALARS = 18;
    static final int DICTIONARY_HEAD = 6;
    static final VarHandle LONG = view(long[].class);
    static final VarHandle INT = view(int[].class);
    static final VarHandle SHORT = view(short[].class);

    final Layout layout;

    private final int scalarsAt;
    private final int flagBytes;
    private final int[] numbersAt;
    private final int[] textsAt;
    private final int[] dictionariesAt;

    private byte[] bytes;
    private int count;
    private long newest;
    private long droppedUntil;
    private int flagsAt;
    private int idsAt;
    private int[] idEnds = new int[64];

    History(Layout layout) {
        this.layout = layout;
        this.scalarsAt = LAYOUT_AT + layout.header.length;
        this.flagBytes = layout.flagBytes();
        this.numbersAt = new int[layout.numbers];
        this.textsAt = new int[layout.texts];
        this.dictionariesAt = new int[layout.texts + 1];
    }

    private static VarHandle view(Class<?> type) {
        return MethodHandles.byteArrayViewVarHandle(type, ByteOrder.LITTLE_ENDIAN);
    }

    static int unsignedShort(byte[] bytes, int at) {
        return (short) SHORT.get(bytes, at) & 0xFFFF;
    }

    /** Layout by which a value was written. */
    static Layout layoutOf(byte[] value) {
        return Layout.written(value, LAYOUT_AT, unsignedShort(value, 1));
    }

    /**
     * Returns whether a value was written by this history's layout.
     *
     * @throws IllegalStateException if another version of this class wrote it
     */
    boolean reads(byte[] value) {
        if (value[0] != VERSION) {
            throw new IllegalStateException(
                    "the state of sliding_features has version " + value[0] + ", this release reads version " + VERSION
                            + ": restore the savepoint with the release that wrote it");
        }
        int end = LAYOUT_AT + unsignedShort(value, 1);
        return Arrays.equals(value, LAYOUT_AT, end, layout.header, 0, layout.header.length);
    }

    /** Opens a value that this history {@link #reads}. */
    void open(byte[] value) {
        bytes = value;
        newest = (long) LONG.get(value, scalarsAt);
        droppedUntil = (long) LONG.get(value, scalarsAt + 8);
        count = unsignedShort(value, scalarsAt + 16);
        flagsAt = agesAt() + 4 * count;
        int at = flagsAt + flagBytes * count;
        for (int column = 0; column < numbersAt.length; column++) {
            numbersAt[column] = at;
            at += 8 * count;
        }
        for (int column = 0; column < textsAt.length; column++) {
            textsAt[column] = at;
            at += 2 * count;
        }
        idsAt = at;
        at = findDictionaries(idsAt + findIds());
        if (at != value.length) {
            throw new IllegalStateException(
                    "the state of sliding_features is damaged: it has " + value.length + " bytes instead of " + at);
        }
    }

    private int findIds() {
        if (idEnds.length <= count) {
            idEnds = new int[2 * count];
        }
        int end = 0;
        for (int event = 0; event < count; event++) {
            idEnds[event] = end;
            end += unsignedShort(bytes, textsAt[0] + 2 * event);
        }
        idEnds[count] = end;
        return end;
    }

    private int findDictionaries(int from) {
        int at = from;
        for (int column = 1; column < textsAt.length; column++) {
            dictionariesAt[column] = at;
            at += DICTIONARY_HEAD + (int) INT.get(bytes, at + 2);
        }
        dictionariesAt[textsAt.length] = at;
        return at;
    }

    byte[] bytes() {
        return bytes;
    }

    int count() {
        return count;
    }

    long newest() {
        return newest;
    }

    long droppedUntil() {
        return droppedUntil;
    }

    int agesAt() {
        return scalarsAt + SCALARS;
    }

    int flagsAt() {
        return flagsAt;
    }

    int numbersAt(int column) {
        return numbersAt[column];
    }

    /** Start of a text column's codes; for the id, of the lengths. */
    int textsAt(int column) {
        return textsAt[column];
    }

    /** Start of an event's id; for the event after the last one, the end of the ids. */
    int idAt(int event) {
        return idsAt + idEnds[event];
    }

    /** Start of the dictionary of a text column that is not the id; for the column after the last one, the end. */
    int dictionaryAt(int column) {
        return dictionariesAt[column];
    }

    /** Number of values in a text column's dictionary; some may no longer be used by any event. */
    int dictionarySize(int column) {
        return unsignedShort(bytes, dictionariesAt[column]);
    }

    long time(int event) {
        return newest - (int) INT.get(bytes, agesAt() + 4 * event);
    }

    /** Number of events that are not later than {@code time}; they are the first ones. */
    int countUntil(long time) {
        int low = 0;
        int high = count;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (time(middle) <= time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    boolean has(int event, long flag) {
        return (flags(event) & flag) != 0;
    }

    long flags(int event) {
        int at = flagsAt + flagBytes * event;
        return switch (flagBytes) {
            case 1 -> bytes[at] & 0xFF;
            case 2 -> unsignedShort(bytes, at);
            default -> {
                long flags = 0;
                for (int i = 0; i < flagBytes; i++) {
                    flags |= (bytes[at + i] & 0xFFL) << (8 * i);
                }
                yield flags;
            }
        };
    }

    /** The integer, or the double's bits. */
    long number(int event, int column) {
        return (long) LONG.get(bytes, numbersAt[column] + 8 * event);
    }

    /** Place of an event's value in the dictionary of a text column that is not the id. */
    int code(int event, int column) {
        return unsignedShort(bytes, textsAt[column] + 2 * event);
    }

    /** Start of an event's text in {@link #bytes}. */
    int textAt(int event, int column) {
        if (column == 0) {
            return idAt(event);
        }
        int at = dictionariesAt[column] + DICTIONARY_HEAD;
        for (int code = code(event, column); code > 0; code--) {
            at += 2 + unsignedShort(bytes, at);
        }
        return at + 2;
    }

    /** Length of the text that starts at {@code textAt}, in bytes. */
    int textLength(int event, int column, int textAt) {
        return column == 0 ? idAt(event + 1) - textAt : unsignedShort(bytes, textAt - 2);
    }

    /** The event with this id; -1 if there is none. */
    int find(byte[] id) {
        for (int event = count - 1; event >= 0; event--) {
            int from = idAt(event);
            int to = idAt(event + 1);
            if (to - from == id.length
                    && Arrays.equals(bytes, from, to, id, 0, id.length)
                    && has(event, layout.textFlag(0))) {
                return event;
            }
        }
        return -1;
    }
}
