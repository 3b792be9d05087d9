"""What is normal: how reference subjects deviate, which of their parts do so together, and units made of it.

Beside the moment's difference from the reference, its mean over the recording counts: subjects differ far less in
what lasts than they do from moment to moment, where a small but lasting deviation would be lost. Both are
put into units of how reference subjects differ (Mahalanobis' distance), by the symmetric root of the inverse
covariance, which leaves every part where it is (Kessy et al., The American Statistician 72, 2018: ZCA whitening).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LASTING = 0.4  # share of a deviation that is given to what lasts: with more, it is hard to see when one happens
FRAMES, SUBJECTS = 95.0, 75.0  # percentiles of a reference subject's frames, and of the subjects, that are normal
USUAL = 0.7  # deviation of a part, in units of the normal limit, that is nothing but what reference subjects show
CLEAR = 2.0  # in the same units, from which on all of a part's deviation is magnified
TRUSTED = 1.2  # deviation of all parts together, in units of its own limit, below which single parts are doubted
LEAST_SHRINKAGE = 0.7  # of a covariance towards equal variances, however many subjects tell of it


@dataclass(frozen=True, eq=False)
class Moments:
    """What the norm keeps of the differences (T, d) of one recording.

    Attributes
    ----------
    n : int
        How many frames.
    total : ndarray, shape (d, d)
        Sum of the products of entries.
    lasting : ndarray, shape (d,)
        The mean.
    """

    n: int
    total: np.ndarray
    lasting: np.ndarray

    @classmethod
    def of(cls, difference: np.ndarray) -> Moments:
        """Sum up differences (T, d)."""
        return cls(len(difference), difference.T @ difference, difference.mean(0))


@dataclass(frozen=True, eq=False)
class Norm:
    """How some reference subjects differ from what the others show.

    Attributes
    ----------
    moment, lasting : ndarray, shape (d, d)
        Turn differences of single frames, and their mean over a recording, into units in which they have variance 1 in
        these subjects.
    """

    moment: np.ndarray
    lasting: np.ndarray

    @classmethod
    def of(cls, subjects: Sequence[Sequence[Moments]]) -> Norm:
        """Find the norm of subjects, each with the moments of its recordings; every subject counts the same."""
        share = max(LEAST_SHRINKAGE, 1 / (len(subjects) + 1))
        lasting = [np.mean([np.outer(m.lasting, m.lasting) for m in recordings], 0) for recordings in subjects]
        return cls(whitening(_pooled(subjects), share), whitening(np.mean(lasting, 0), share))

    @classmethod
    def apart(cls, subjects: Sequence[Sequence[Moments]]) -> Norm:
        """Find the norm of single moments alone, of each entry by itself: for references one frame at a time."""
        variance = np.diag(_pooled(subjects))
        steady = (variance + variance.mean()) / 2 + 1e-18  # few reference subjects tell little of each
        moment = np.diag(1 / np.sqrt((1 - LASTING) * steady))
        return cls(moment, np.zeros_like(moment))

    def measure(self, difference: np.ndarray, lasting: np.ndarray) -> np.ndarray:
        """Put differences into the norm's units.

        Parameters
        ----------
        difference : ndarray, shape (T, d)
            Of a recording's postures from their references.
        lasting : ndarray, shape (d,)
            Their mean.

        Returns
        -------
        ndarray, shape (T, d)
            How far each entry deviates; the mean of the squares is 1 in the norm's subjects.
        """
        return np.sqrt((1 - LASTING) * (difference @ self.moment) ** 2 + LASTING * (lasting @ self.lasting) ** 2)


def normal_limit(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Say up to where the deviation of each part is normal: most frames of most reference subjects stay below.

    Not the percentile of all their frames together: one of a dozen subjects, of whom the network takes a part for
    another, would set that limit alone, and what this part does in everyone else would count for nothing.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (T_i, K)
        How far each landmark, or entry, deviates in each reference subject, measured by the others.

    Returns
    -------
    ndarray, shape (K,)
        What three in four of the subjects stay below in 95 % of their frames; never 0.
    """
    limit = np.percentile([np.percentile(part, FRAMES, axis=0) for part in parts], SUBJECTS, axis=0)
    return np.maximum(limit, 1e-3 * limit.max() + 1e-9)


def of_all(parts: np.ndarray) -> np.ndarray:
    """Give the root mean square of the deviations of all parts (T, K), each in units of its limit: (T, 1)."""
    return np.sqrt((parts**2).mean(-1, keepdims=True))


def beyond_normal(difference: np.ndarray, parts: np.ndarray, limit_of_all: float) -> np.ndarray:
    """Keep of a difference what is more than reference subjects show.

    Of each part nothing is kept up to the normal limit, and all from `CLEAR` times it on: firm shrinkage (Gao and
    Bruce, Statistica Sinica 7, 1997). A subject is then not made an average one when its deviation is taken away, nor
    a caricature when it is magnified; and what deviates clearly is magnified as far as was asked for.

    Of many parts, one is beyond its limit now and then in any normal subject. So where all parts together deviate by
    less than `TRUSTED`, each counts for less than it is: what is believed of one follows how much there is to be
    believed at all (Johnstone and Silverman, The Annals of Statistics 32, 2004).

    Parameters
    ----------
    difference : ndarray, shape (T, d)
        Of postures from what a normal subject would show.
    parts : ndarray, shape (T, K)
        How far each landmark, or entry, deviates; 1 is `normal_limit`.
    limit_of_all : float
        The normal limit of what `of_all` gives.

    Returns
    -------
    ndarray, shape (T, d)
    """
    evidence = parts * np.minimum(of_all(parts) / (TRUSTED * limit_of_all), 1) ** 2
    kept = np.clip(CLEAR / (CLEAR - 1) * (1 - 1 / np.maximum(evidence, 1e-6)), 0, 1)
    return difference * np.repeat(kept, difference.shape[1] // parts.shape[1], axis=1)


def parts_beyond_usual(parts: np.ndarray) -> np.ndarray:
    """Keep of the parts' deviations what is more than is usual, so that what is normal is hardly marked.

    Each part is shrunk by 1 - (USUAL / part)^2, to no less than 0: the positive-part estimator of James and Stein
    (Efron and Morris, Journal of the American Statistical Association 68, 1973), for which what is usual is noise.

    Parameters
    ----------
    parts : ndarray, shape (T, K)
        How far each landmark, or entry, deviates; 1 is `normal_limit`.

    Returns
    -------
    ndarray, shape (T, K)
        0 up to what is usual, and still 1 at the normal limit.
    """
    return parts * np.maximum(1 - (USUAL / np.maximum(parts, 1e-6)) ** 2, 0) / (1 - USUAL**2)


def whitening(covariance: np.ndarray, share: float) -> np.ndarray:
    r"""Give the symmetric root of the inverse of a covariance that is shrunk towards equal variances.

    (1 - a) S + a tr(S) / d I, with a = 1 / (n + 1) but at least `LEAST_SHRINKAGE` in a norm: frames of one subject
    are no independent samples, so few subjects tell little of what goes together, whatever the length of recordings.

    Parameters
    ----------
    covariance : ndarray, shape (d, d)
        S.
    share : float
        a, how much is shrunk.

    Returns
    -------
    ndarray, shape (d, d)
    """
    d = len(covariance)
    covariance = (1 - share) * covariance + share * np.trace(covariance) / d * np.eye(d)
    variance, axes = np.linalg.eigh(covariance)
    return (axes / np.sqrt(np.maximum(variance, 0) + 1e-18)) @ axes.T


def _pooled(subjects: Sequence[Sequence[Moments]]) -> np.ndarray:
    """Return the second moment of single frames, (d, d)."""
    totals = [np.sum([m.total for m in recordings], 0) / sum(m.n for m in recordings) for recordings in subjects]
    return np.mean(totals, 0)
