package millrace.json;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Checks of UTF-8 that the JSON parser leaves out: it accepts overlong forms, surrogates and other invalid sequences.
 */
final class Utf8 {

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final long HIGH_BITS = 0x8080808080808080L;

    private Utf8() {}

    /** Position of the first byte that starts no valid sequence, or -1. */
    static int firstInvalid(byte[] bytes) {
        return isAscii(bytes) ? -1 : firstInvalidOf(bytes);
    }

    private static boolean isAscii(byte[] bytes) {
        int position = 0;
        for (; position <= bytes.length - Long.BYTES; position += Long.BYTES) {
            if (((long) LONGS.get(bytes, position) & HIGH_BITS) != 0) {
                return false;
            }
        }
        for (; position < bytes.length; position++) {
            if (bytes[position] < 0) {
                return false;
            }
        }
        return true;
    }

    private static int firstInvalidOf(byte[] bytes) {
        CharsetDecoder decoder =
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(Math.min(bytes.length, 1024));
        CoderResult result;
        do {
            out.clear();
            result = decoder.decode(in, out, true);
        } while (result.isOverflow());
        return result.isError() ? in.position() : -1;
    }

    /** Whether every surrogate is half of a pair. */
    static boolean canEncode(String text) {
        int position = 0;
        while (position < text.length()) {
            int character = text.codePointAt(position);
            if (character >= Character.MIN_SURROGATE && character <= Character.MAX_SURROGATE) {
                return false;
            }
            position += Character.charCount(character);
        }
        return true;
    }
}
