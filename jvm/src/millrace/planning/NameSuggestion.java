package millrace.planning;

import java.util.List;

/** Suggestions of known names for an unknown one. */
public final class NameSuggestion {

    private NameSuggestion() {}

    /** The nearest of the known names, or all of them when none is near; the first one wins a tie. */
    public static String of(String wrong, List<String> known, String plural) {
        String nearest = null;
        int least = Math.max(2, wrong.length() / 3) + 1;
        for (String name : known) {
            int distance = editDistance(wrong, name);
            if (distance < least) {
                nearest = name;
                least = distance;
            }
        }
        return nearest == null
                ? "the " + plural + " are " + String.join(", ", known)
                : "did you mean '" + nearest + "'?";
    }

    /** Levenshtein distance. */
    private static int editDistance(String left, String right) {
        int[] previous = new int[right.length() + 1];
        for (int j = 0; j <= right.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= left.length(); i++) {
            int[] current = new int[right.length() + 1];
            current[0] = i;
            for (int j = 1; j <= right.length(); j++) {
                int substituted = previous[j - 1] + (left.charAt(i - 1) == right.charAt(j - 1) ? 0 : 1);
                current[j] = Math.min(substituted, Math.min(previous[j], current[j - 1]) + 1);
            }
            previous = current;
        }
        return previous[right.length()];
    }
}
