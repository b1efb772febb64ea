package millrace.features;

/** Exact sum of longs in 128 bits, also if it doesn't fit a long. */
final class WideSum {

    private static final double TWO_TO_64 = 0x1p64;

    private long low;
    private long high;

    void clear() {
        low = 0;
        high = 0;
    }

    void add(long number) {
        long sum = low + number;
        high += (number >> 63) + (Long.compareUnsigned(sum, low) < 0 ? 1 : 0);
        low = sum;
    }

    private boolean fits() {
        return high == low >> 63;
    }

    /** The sum, or the long that is nearest to it. */
    long saturated() {
        if (fits()) {
            return low;
        }
        return high < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
    }

    double asDouble() {
        if (fits()) {
            return low;
        }
        double unsignedLow = (low >>> 1) * 2.0 + (low & 1);
        return high * TWO_TO_64 + unsignedLow;
    }
}
